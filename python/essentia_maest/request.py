"""What is asked of a model: one value, made once and checked by the engine's own rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from operator import index
from typing import Any, Literal

import numpy as np

from . import _core
from .errors import InvalidArgumentError
from .patchout import Patchout, engine_patchout

Output = Literal["predictions", "logits", "embeddings", "tokens"]
Tail = Literal["discard", "repeat", "pad"]

_KINDS = {
    "predictions": _core.OutputKind.activations,
    "logits": _core.OutputKind.logits,
    "embeddings": _core.OutputKind.embeddings,
    "tokens": _core.OutputKind.tokens,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_OF_BLOCKS = frozenset({"embeddings", "tokens"})

# What is not asked for is as the engine has it.
_DEFAULT = _core.Request()

BLOCK = _DEFAULT.block
"""What embeddings are of where nobody says it."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of a model, whatever the audio.

    Attributes
    ----------
    outputs : tuple of {"predictions", "logits", "embeddings", "tokens"}
        What is computed, in one pass.
    block : int or sequence of int, default 7
        Transformer block of embeddings and tokens, from 1; the paper's best for downstream tasks
        is 7 of 12 (section 4.1). Later blocks are computed for predictions only. Of several,
        computed in one pass, an embedding stacks what it has of each, in this order.
    tokens : tuple of {"cls", "dist", "avg"}
        What an embedding is stacked from, in this order: the class token, the distillation token,
        the average of the patch tokens (section 3.3).
    patchout : str or Patchout, default "F0T0"
        Patches that are not given to the model, for speed (section 4.5). F3 drops the first and
        the last two patch rows, F4 the first and the last two pairs, Tk keeps one of every k patch
        columns; F0 and T0 keep all.
    hop : float, optional
        Seconds between the starts of segments; the engine takes the nearest number of frames
        (`Plan.hop_seconds` tells it). None is the model's own, its segment rounded down to whole
        seconds; half a segment is the paper's downstream set-up.
    tail : {"repeat", "pad", "discard"}, default "repeat"
        What becomes of the samples after the last full segment: "repeat" fills a segment by
        repeating their frames, "pad" computes a shorter segment of the patches that exist,
        "discard" drops them (a signal shorter than a segment is an error then). As in Essentia,
        overlapping segments leave a tail that starts one hop after the last full segment.
    batch_size : int, optional
        Segments computed side by side at the most; None is one per thread. Never changes a result.

    Raises
    ------
    InvalidArgumentError
        A value is none that any model could take. What one model lacks, `Model.plan` tells.
    """

    outputs: tuple[Output, ...] = ("predictions",)
    block: int | Sequence[int] = BLOCK
    tokens: Sequence[str] = _DEFAULT.tokens
    patchout: str | Patchout = "F0T0"
    hop: float | None = None
    tail: Tail = _DEFAULT.tail
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name in self.outputs:
            if name not in _KINDS:
                raise InvalidArgumentError(f"output is {name!r}; wanted: {', '.join(_KINDS)}")
        block = self.block.tolist() if isinstance(self.block, np.ndarray) else self.block
        if isinstance(block, Sequence) and not isinstance(block, str | bytes):
            block = tuple(block)
        object.__setattr__(self, "block", block)
        self.for_engine()  # which refuses what no model could take
        object.__setattr__(self, "tokens", tuple(self.tokens))
        if isinstance(block, tuple):
            blocks = tuple(map(index, block))
            object.__setattr__(self, "block", blocks if len(blocks) > 1 else blocks[0])

    @property
    def wants_block(self) -> bool:
        """Whether `block` bears on an output."""
        return not _OF_BLOCKS.isdisjoint(self.outputs)

    def for_engine(self) -> _core.Request:
        """Return the request as the engine takes it.

        Returns
        -------
        _core.Request
            For `_core.Extractor.plan`, `_core.Stream` and `_core.extract`.

        Raises
        ------
        InvalidArgumentError
            A value is none that any model could take.
        """
        return _core.Request(
            outputs=[_KINDS[name] for name in self.outputs],
            block=self.block,
            tokens=self.tokens,
            patchout=engine_patchout(self.patchout),
            hop=self.hop,
            tail=self.tail,
            batch_size=self.batch_size,
        )

    def as_json(self) -> dict[str, Any]:
        """Return what bears on the outputs, as JSON has it.

        Returns
        -------
        dict
            Equal for two requests exactly if they ask for the same results; `batch_size` changes
            none and is left out.
        """
        values: dict[str, Any] = {"outputs": list(self.outputs)}
        if self.wants_block:
            values["block"] = list(self.block) if isinstance(self.block, tuple) else self.block
        if "embeddings" in self.outputs:
            values["tokens"] = list(self.tokens)
        patchout = self.patchout
        if isinstance(patchout, Patchout):
            values["patchout"] = {"rows": list(patchout.rows), "stride": patchout.stride}
        else:
            values["patchout"] = patchout
        return {**values, "hop": self.hop, "tail": self.tail}


def outputs_of(info: _core.ModelInfo) -> tuple[Output, ...]:
    """Name what a model can be asked for.

    Parameters
    ----------
    info : _core.ModelInfo
        What the engine read from the model file.

    Returns
    -------
    tuple of str
        As in `Request.outputs`.
    """
    return tuple(_NAMES[kind] for kind in info.outputs)  # type: ignore[misc]
