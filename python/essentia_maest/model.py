"""A MAEST model: predictions and embeddings of music."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import InvalidArgumentError, UntrainedModelWarning
from .front_end import FRAMES_PER_SECOND
from .ort_library import use_library
from .patchout import Patchout, engine_patchout
from .reading.description import read_info, read_labels
from .reading.families import METADATA_KEY, checked_families
from .reading.store import resolve
from .samples import as_samples
from .stream import Stream

Array = npt.NDArray[np.float32]
Tail = Literal["discard", "repeat", "pad"]

_ALL_TOKENS = ("cls", "dist", "avg")
_STREAM_OUTPUTS = {
    "predict": _core.OutputKind.activations,
    "embed": _core.OutputKind.embeddings,
}


class Model:
    """A model opened once, to be shared.

    Safe to use from several threads at a time: all computing happens without the interpreter lock,
    and the weights are in memory once.

    Parameters
    ----------
    model : str or path-like, default "default"
        A file made by `essentia_maest.convert`, one of Essentia's official ONNX files (whole
        segments only, no patchout), or the name of a model shipped with the package.
    num_threads : int, default 0
        Threads that one call uses; 0 is as many as this process may use (affinity and container
        quota).

    Raises
    ------
    ModelError
        If there is no such model, or the file is damaged or foreign.
    InvalidArgumentError
        If `num_threads` is negative.
    OnnxRuntimeError
        If ONNX Runtime 1.20 or newer is not installed.

    Warns
    -----
    UntrainedModelWarning
        If the weights are random.

    Attributes
    ----------
    path : pathlib.Path
        The model file.
    info : dict
        Its metadata, in Essentia's schema.
    labels : tuple of str
        Names of the classes.
    label_families : tuple of str
        What precedes ``---`` in the labels, where the classes answer several questions (genre,
        instruments, metre ...); otherwise empty.

    Notes
    -----
    Options shared by `predict`, `embed`, `tokens`, `analyze` and `stream`:

    patchout : str or Patchout
        Patches that are not given to the model, for speed (section 4.5 of the paper). F3 drops the
        first and the last two patch rows, F4 the first and the last two pairs, Tk keeps one of
        every k patch columns; F0 and T0 keep all.
    hop : float, optional
        Seconds between segment starts. None is the model's own, its segment rounded down to whole
        seconds; half a segment is the paper's downstream set-up.
    tail : {"discard", "repeat", "pad"}
        What happens to the samples after the last full segment. "discard" drops them, "repeat"
        fills a segment by repeating their frames, "pad" computes a shorter segment of the patches
        that exist. As in Essentia, overlapping segments leave a tail that starts one hop after the
        last full segment.
    batch_size : int, optional
        Segments computed side by side at the most; None is one a thread. Never changes a result.
    """

    def __init__(self, model: str | os.PathLike[str] = "default", num_threads: int = 0) -> None:
        use_library()
        self.path: Path = resolve(model)
        self._engine = _core.Extractor(os.fsencode(self.path), num_threads)
        self._info = self._engine.info
        self.info: dict[str, Any] = read_info(self.path, self._info)
        self.labels: tuple[str, ...] = read_labels(self.path, self._info, self.info)
        self.label_families: tuple[str, ...] = checked_families(
            self.info.get(METADATA_KEY), self.labels, f"the metadata of model '{self.path}'"
        )
        if not self.trained:
            warnings.warn(
                f"model '{self.name}' has random weights: its output says nothing about the music",
                UntrainedModelWarning,
                stacklevel=2,
            )

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.info.get("name", self._info.name))

    @property
    def trained(self) -> bool:
        """False if the weights are random."""
        return self._info.trained

    @property
    def precision(self) -> str:
        """``"fp32"`` or ``"int8"``."""
        return self._info.precision

    @property
    def num_threads(self) -> int:
        """Threads that one call uses."""
        return self._engine.threads

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return self._info.depth

    @property
    def dim(self) -> int:
        """Values of a token."""
        return self._info.dim

    @property
    def segment_seconds(self) -> float:
        """Length of a segment."""
        return self._info.segment_frames / FRAMES_PER_SECOND

    @property
    def hop_seconds(self) -> float:
        """Time between segment starts when `hop` is None."""
        return self._info.segment_hop_frames / FRAMES_PER_SECOND

    @property
    def grid(self) -> tuple[int, int]:
        """Patch rows (frequency) and patch columns (time) of a segment."""
        return self._info.grid_rows, self._info.grid_columns

    def __repr__(self) -> str:
        return (
            f"<Model {self.name!r}: {self.segment_seconds:g} s segments, {self.depth} blocks of "
            f"{self.dim}, {len(self.labels)} classes, {self.precision}>"
        )

    def predict(
        self,
        audio: npt.ArrayLike,
        *,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "discard",
        batch_size: int | None = None,
    ) -> Array:
        """Compute how much each class is present.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).
        patchout, hop, tail, batch_size
            See `Model`.

        Returns
        -------
        numpy.ndarray, shape [segments, classes], float32
            Activations, 0..1, in the order of `labels`.

        Raises
        ------
        InvalidArgumentError
            For audio that is not as above, empty, not finite, or shorter than a segment with
            ``tail="discard"``; for an option that this model does not have.
        """
        request = self._request(
            [_core.OutputKind.activations],
            patchout=patchout,
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )
        return self._extract(request, audio)[0]

    def embed(
        self,
        audio: npt.ArrayLike,
        *,
        block: int = 7,
        tokens: Sequence[str] = _ALL_TOKENS,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "discard",
        batch_size: int | None = None,
    ) -> Array:
        """Compute embeddings: tokens of one block, stacked. Later blocks are not computed.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).
        block : int, default 7
            1 to `depth`; the paper's best for downstream tasks is 7 of 12 (section 4.1).
        tokens : sequence of {"cls", "dist", "avg"}
            What is stacked, in this order: the class token, the distillation token, the average of
            the patch tokens.
        patchout, hop, tail, batch_size
            See `Model`.

        Returns
        -------
        numpy.ndarray, shape [segments, len(tokens) * dim], float32

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        request = self._request(
            [_core.OutputKind.embeddings],
            block=block,
            tokens=tokens,
            patchout=patchout,
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )
        return self._extract(request, audio)[0]

    def tokens(
        self,
        audio: npt.ArrayLike,
        *,
        block: int,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "discard",
        batch_size: int | None = None,
    ) -> Array:
        """Compute all tokens of one block, as the block gives them (before the final norm).

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).
        block : int
            1 to `depth`.
        patchout, hop, tail, batch_size
            See `Model`. ``tail="pad"`` is refused if it makes a shorter segment beside full ones:
            their tokens do not stack.

        Returns
        -------
        numpy.ndarray, shape [segments, 2 + patches, dim], float32
            The class token, the distillation token, then the kept patches row by row: frequency
            outer, time inner.

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        request = self._request(
            [_core.OutputKind.tokens],
            block=block,
            patchout=patchout,
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )
        return self._extract(request, audio)[0]

    def analyze(
        self,
        audio: npt.ArrayLike,
        *,
        block: int = 7,
        tokens: Sequence[str] = _ALL_TOKENS,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "discard",
        batch_size: int | None = None,
    ) -> tuple[Array, Array]:
        """Compute predictions and embeddings in one pass.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).
        block, tokens
            See `embed`.
        patchout, hop, tail, batch_size
            See `Model`.

        Returns
        -------
        predictions : numpy.ndarray, shape [segments, classes], float32
        embeddings : numpy.ndarray, shape [segments, len(tokens) * dim], float32

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        request = self._request(
            [_core.OutputKind.activations, _core.OutputKind.embeddings],
            block=block,
            tokens=tokens,
            patchout=patchout,
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )
        predictions, embeddings = self._extract(request, audio)
        return predictions, embeddings

    def stream(
        self,
        output: Literal["embed", "predict"] = "embed",
        *,
        block: int = 7,
        tokens: Sequence[str] = _ALL_TOKENS,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "discard",
        batch_size: int | None = None,
    ) -> Stream:
        """Start a signal that comes in pieces.

        Parameters
        ----------
        output : {"embed", "predict"}
            What the stream returns for each segment.
        block, tokens
            See `embed`; not used by "predict".
        patchout, hop, tail, batch_size
            See `Model`.

        Returns
        -------
        Stream

        Raises
        ------
        InvalidArgumentError
            For an option that this model does not have.
        """
        if output not in _STREAM_OUTPUTS:
            raise InvalidArgumentError(f"output is {output!r}; wanted is 'embed' or 'predict'")
        request = self._request(
            [_STREAM_OUTPUTS[output]],
            block=block,
            tokens=tokens,
            patchout=patchout,
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )
        return Stream(self, request)

    def _request(
        self,
        outputs: list[_core.OutputKind],
        *,
        block: int = 7,
        tokens: Sequence[str] = _ALL_TOKENS,
        patchout: str | Patchout,
        hop: float | None,
        tail: str,
        batch_size: int | None,
    ) -> _core.Request:
        return _core.Request(
            outputs=outputs,
            block=block,
            tokens=tokens,
            patchout=engine_patchout(patchout),
            hop=hop,
            tail=tail,
            batch_size=batch_size,
        )

    def _extract(self, request: _core.Request, audio: npt.ArrayLike) -> tuple[Array, ...]:
        return _core.extract(self._engine, request, as_samples(audio))
