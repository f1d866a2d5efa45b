"""A MAEST model: predictions and embeddings of music."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import InvalidArgumentError, UntrainedModelWarning
from .ort_library import use_library
from .patchout import Patchout
from .reading.description import read_info, read_labels
from .reading.families import METADATA_KEY, checked_families
from .reading.store import resolve
from .request import Output, Request, Tail, outputs_of
from .samples import as_samples
from .stream import Stream

Array = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)

_STREAM_OUTPUTS: dict[str, Output] = {"predict": "predictions", "embed": "embeddings"}


class Model:
    """A model opened once, to be shared.

    Safe to use from several threads at a time: all computing happens without the interpreter lock,
    and the weights are in memory once.

    Parameters
    ----------
    model : str or path-like, default "default"
        A file made by `essentia_maest.convert`, one of Essentia's official ONNX files (whole
        segments only, no patchout), or the name of a model that was shipped with the package or
        fetched (``maest models`` lists them).
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
    `Request` describes the options that `predict`, `embed`, `tokens`, `analyze` and `stream`
    share. A model can be pickled, by its name or path and its number of threads; whoever unpickles
    it opens the file anew.
    """

    def __init__(self, model: str | os.PathLike[str] = "default", num_threads: int = 0) -> None:
        use_library()
        self.path: Path = resolve(model)
        # A name stays one: it is found where the model is opened again, perhaps elsewhere.
        self._given = os.fspath(model) if self.path != Path(model) else str(self.path.absolute())
        self._threads_given = num_threads
        self._engine = _core.Extractor(os.fsencode(self.path), num_threads)
        self._info = self._engine.info
        self.info: dict[str, Any] = read_info(self.path, self._info)
        self.labels: tuple[str, ...] = read_labels(self.path, self._info, self.info)
        self.label_families: tuple[str, ...] = checked_families(
            self.info.get(METADATA_KEY), self.labels, f"the metadata of model '{self.path}'"
        )
        _log.info(
            "opened %s: %r, %d threads, ONNX Runtime %s from %s, operators %s",
            self.path,
            self,
            self.num_threads,
            _core.ort_version(),
            _core.ort_library(),
            self.operators,
        )
        _log.debug("kernels of the engine: %s", _core.kernels())
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
        return self._info.segment_seconds

    @property
    def hop_seconds(self) -> float:
        """Time between segment starts when `hop` is None."""
        return self._info.hop_seconds

    @property
    def grid(self) -> tuple[int, int]:
        """Patch rows (frequency) and patch columns (time) of a segment."""
        return self._info.grid_rows, self._info.grid_columns

    @property
    def operators(self) -> dict[str, str]:
        """The engine's own operators -> the instruction set of the kernel that computes them here.

        ``"onnxruntime"`` where the model has no such node or the CPU no kernel for it.
        """
        return self._engine.operators

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What a `Request` can ask of this model."""
        return outputs_of(self._info)

    def __reduce__(self) -> tuple[type[Model], tuple[str, int]]:
        return Model, (self._given, self._threads_given)

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
        tail: Tail = "repeat",
        batch_size: int | None = None,
    ) -> Array:
        """Compute how much each class is present.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).
        patchout, hop, tail, batch_size
            See `Request`.

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
        request = Request(
            ("predictions",), patchout=patchout, hop=hop, tail=tail, batch_size=batch_size
        )
        return self.run(request, audio)["predictions"]

    def embed(
        self,
        audio: npt.ArrayLike,
        *,
        block: int = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
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
            See `Request`.

        Returns
        -------
        numpy.ndarray, shape [segments, len(tokens) * dim], float32

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        request = Request(("embeddings",), block, tokens, patchout, hop, tail, batch_size)
        return self.run(request, audio)["embeddings"]

    def tokens(
        self,
        audio: npt.ArrayLike,
        *,
        block: int,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
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
            See `Request`. ``tail="pad"`` is refused if it makes a shorter segment beside full ones:
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
        request = Request(
            ("tokens",), block, patchout=patchout, hop=hop, tail=tail, batch_size=batch_size
        )
        return self.run(request, audio)["tokens"]

    def analyze(
        self,
        audio: npt.ArrayLike,
        *,
        block: int = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
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
            See `Request`.

        Returns
        -------
        predictions : numpy.ndarray, shape [segments, classes], float32
        embeddings : numpy.ndarray, shape [segments, len(tokens) * dim], float32

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        outputs: tuple[Output, ...] = ("predictions", "embeddings")
        results = self.run(Request(outputs, block, tokens, patchout, hop, tail, batch_size), audio)
        return results["predictions"], results["embeddings"]

    @overload
    def stream(  # type: ignore[overload-overlap]
        self,
        output: Literal["embed", "predict"] = "embed",
        *,
        block: int = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
    ) -> Stream[Array]: ...

    @overload
    def stream(
        self,
        output: Sequence[Literal["embed", "predict"]],
        *,
        block: int = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
    ) -> Stream[tuple[Array, ...]]: ...

    def stream(
        self,
        output: str | Sequence[str] = "embed",
        *,
        block: int = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
    ) -> Stream[Any]:
        """Start a signal that comes in pieces.

        Parameters
        ----------
        output : {"embed", "predict"}, or a sequence of them
            What the stream returns for each segment; a tuple of arrays for a sequence.
        block, tokens, patchout, hop, tail, batch_size
            See `Request`; `block` and `tokens` are not used by "predict".

        Returns
        -------
        Stream

        Raises
        ------
        InvalidArgumentError
            For an option that this model does not have.
        """
        names = (output,) if isinstance(output, str) else tuple(output)
        for name in names:
            if name not in _STREAM_OUTPUTS:
                raise InvalidArgumentError(f"output is {name!r}; wanted is 'embed' or 'predict'")
        outputs = tuple(_STREAM_OUTPUTS[name] for name in names)
        request = Request(outputs, block, tokens, patchout, hop, tail, batch_size)
        return self._stream(request, single=isinstance(output, str))

    def plan(self, request: Request) -> _core.Plan:
        """Check what is asked against this model, and tell what it comes to.

        Parameters
        ----------
        request : Request
            What is asked.

        Returns
        -------
        Plan
            `hop_seconds` and `segment_seconds`, to the frame; `kept_rows`, `kept_columns` and
            `kept_patches` of a whole segment; `output_shapes` for each segment; `depth`, the blocks
            that are computed; and ``start_seconds(n)``, where each of n segments starts.

        Raises
        ------
        InvalidArgumentError
            This model lacks what is asked; the message names what it has.
        """
        return self._engine.plan(request.for_engine())

    def run(self, request: Request, audio: npt.ArrayLike) -> dict[str, Array]:
        """Compute what is asked of a whole signal.

        Parameters
        ----------
        request : Request
            What is asked.
        audio : array_like, shape [samples]
            Mono samples at 16 kHz, float32 (float64 is converted).

        Returns
        -------
        dict of str to numpy.ndarray
            float32, shape [segments, ...], under the names of `Request.outputs`.

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        results = _core.extract(self._engine, request.for_engine(), as_samples(audio))
        return dict(zip(request.outputs, results, strict=True))

    def open_stream(self, request: Request) -> Stream[tuple[Array, ...]]:
        """Start a signal that comes in pieces, whatever the outputs.

        Parameters
        ----------
        request : Request
            What is asked.

        Returns
        -------
        Stream
            Gives a tuple of arrays, in the order of `Request.outputs`.

        Raises
        ------
        InvalidArgumentError
            For an option that this model does not have.
        """
        return self._stream(request, single=False)

    def _stream(self, request: Request, *, single: bool) -> Stream[Any]:
        return Stream(_core.Stream(self._engine, request.for_engine()), single=single)
