"""What is asked of every track, in one value that can be checked, stored and compared."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from ..errors import InvalidArgumentError

Tail = Literal["discard", "repeat", "pad"]

OUTPUTS = ("predictions", "embeddings", "both")
TAILS = ("discard", "repeat", "pad")
TOKENS = ("cls", "dist", "avg")


@dataclasses.dataclass(frozen=True)
class AnalysisOptions:
    """How tracks are analysed; the fields mean what they mean in `essentia_maest.Model`.

    Attributes
    ----------
    output : {"predictions", "embeddings", "both"}
        What is computed and written.
    block : int
        Transformer block of the embeddings, counted from 1.
    tokens : tuple of {"cls", "dist", "avg"}
        What an embedding is made of, in this order.
    patchout : str
        Which patches are left out, as "F3T5".
    hop : float or None
        Seconds between the starts of segments; None is the model's own.
    tail : {"discard", "repeat", "pad"}
        What happens to the samples after the last full segment.
    top_k : int
        How many labels are named per segment and per track; all of them if there are fewer.
    """

    output: str = "both"
    block: int = 7
    tokens: tuple[str, ...] = TOKENS
    patchout: str = "F0T0"
    hop: float | None = None
    tail: Tail = "repeat"
    top_k: int = 5

    def __post_init__(self) -> None:
        """Refuse what no model could do.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            A value is outside what is described above.
        """
        _check_choice("output", self.output, OUTPUTS)
        _check_choice("tail", self.tail, TAILS)
        for token in self.tokens:
            _check_choice("tokens", token, TOKENS)
        if not self.tokens:
            raise InvalidArgumentError(f"tokens is empty; wanted: some of {', '.join(TOKENS)}")
        if len(set(self.tokens)) != len(self.tokens):
            raise InvalidArgumentError(f"tokens names one twice: {', '.join(self.tokens)}")
        if self.block < 1:
            raise InvalidArgumentError(f"block is {self.block}; blocks are counted from 1")
        if self.top_k < 1:
            raise InvalidArgumentError(f"top-k is {self.top_k}; 1 or more wanted")
        if self.hop is not None and not (math.isfinite(self.hop) and self.hop > 0):
            raise InvalidArgumentError(f"hop is {self.hop} s; a positive number of seconds wanted")

    @property
    def predictions(self) -> bool:
        """Whether predictions are wanted."""
        return self.output != "embeddings"

    @property
    def embeddings(self) -> bool:
        """Whether embeddings are wanted."""
        return self.output != "predictions"

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON has them, without those that do not bear on the output.

        Returns
        -------
        dict
            Equal for two values exactly if they ask for the same results.
        """
        values = dataclasses.asdict(self)
        values["tokens"] = list(self.tokens)
        for name in () if self.embeddings else ("block", "tokens"):
            del values[name]
        for name in () if self.predictions else ("top_k",):
            del values[name]
        return values


def _check_choice(name: str, found: str, wanted: tuple[str, ...]) -> None:
    if found not in wanted:
        raise InvalidArgumentError(f"{name} is {found!r}; wanted: {', '.join(wanted)}")
