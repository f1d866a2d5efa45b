"""A MAEST model: predictions and embeddings of music."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy.typing as npt

from .errors import InvalidArgumentError
from .file_analysis import FileAnalysis
from .front_end import SAMPLE_RATE
from .hearing import Mp3Error
from .opened_model import Array, OpenedModel
from .patchout import Patchout
from .request import Output, Request, Tail
from .stream import Stream

_STREAM_OUTPUTS: dict[str, Output] = {"predict": "predictions", "embed": "embeddings"}


class Model(OpenedModel):
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
        If `num_threads` is negative or above 1024.
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

    def predict(
        self,
        audio: npt.ArrayLike,
        *,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
        sample_rate: float = SAMPLE_RATE,
    ) -> Array:
        """Compute how much each class is present.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples, float32 (float64 is converted).
        patchout, hop, tail, batch_size
            See `Request`.
        sample_rate : float, default 16000
            Rate of `audio` in Hz; another is resampled as by Essentia's ``Resample(quality=4)``.

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
        return self.run(request, audio, sample_rate)["predictions"]

    def embed(
        self,
        audio: npt.ArrayLike,
        *,
        block: int | Sequence[int] = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
        sample_rate: float = SAMPLE_RATE,
    ) -> Array:
        """Compute embeddings: tokens of a block, stacked. Later blocks are not computed.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples, float32 (float64 is converted).
        block : int or sequence of int, default 7
            1 to `depth`; the paper's best for downstream tasks is 7 of 12 (section 4.1). Several
            are computed in one pass, and stacked in this order.
        tokens : sequence of {"cls", "dist", "avg"}
            What is stacked of each block, in this order: the class token, the distillation token,
            the average of the patch tokens.
        patchout, hop, tail, batch_size
            See `Request`.
        sample_rate : float, default 16000
            Rate of `audio` in Hz; another is resampled as by Essentia's ``Resample(quality=4)``.

        Returns
        -------
        numpy.ndarray, shape [segments, blocks * len(tokens) * dim], float32

        Raises
        ------
        InvalidArgumentError
            As `predict`.
        """
        request = Request(("embeddings",), block, tokens, patchout, hop, tail, batch_size)
        return self.run(request, audio, sample_rate)["embeddings"]

    def tokens(
        self,
        audio: npt.ArrayLike,
        *,
        block: int,
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
        sample_rate: float = SAMPLE_RATE,
    ) -> Array:
        """Compute all tokens of one block, as the block gives them (before the final norm).

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples, float32 (float64 is converted).
        block : int
            1 to `depth`.
        patchout, hop, tail, batch_size
            See `Request`. ``tail="pad"`` is refused if it makes a shorter segment beside full ones:
            their tokens do not stack.
        sample_rate : float, default 16000
            Rate of `audio` in Hz; another is resampled as by Essentia's ``Resample(quality=4)``.

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
        return self.run(request, audio, sample_rate)["tokens"]

    def analyze(
        self,
        audio: npt.ArrayLike,
        *,
        block: int | Sequence[int] = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
        sample_rate: float = SAMPLE_RATE,
    ) -> tuple[Array, Array]:
        """Compute predictions and embeddings in one pass.

        Parameters
        ----------
        audio : array_like, shape [samples]
            Mono samples, float32 (float64 is converted).
        block, tokens
            See `embed`.
        patchout, hop, tail, batch_size
            See `Request`.
        sample_rate : float, default 16000
            Rate of `audio` in Hz; another is resampled as by Essentia's ``Resample(quality=4)``.

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
        request = Request(outputs, block, tokens, patchout, hop, tail, batch_size)
        results = self.run(request, audio, sample_rate)
        return results["predictions"], results["embeddings"]

    def analyze_file(
        self,
        path: str | os.PathLike[str],
        *,
        outputs: Sequence[Output] = ("predictions", "embeddings"),
        block: int | Sequence[int] = 7,
        tokens: Sequence[str] = ("cls", "dist", "avg"),
        patchout: str | Patchout = "F0T0",
        hop: float | None = None,
        tail: Tail = "repeat",
        batch_size: int | None = None,
        segments: int | None = None,
        mp3_error: Mp3Error = "none",
    ) -> FileAnalysis:
        """Compute predictions and embeddings, or whatever is asked, of a file.

        The results are those of `load_audio` and `analyze`, but no sample is in Python, and memory
        does not grow with the file. Other Python threads run meanwhile. With patchout in time,
        parts of FLAC and WAV that no kept patch hears are not decoded; results stay the same to
        the bit.

        Parameters
        ----------
        path : str or os.PathLike
            See `AudioFile`, also for a warning on files of others.
        outputs, block, tokens, patchout, hop, tail, batch_size
            See `Request`.
        segments : int, optional
            Compute only so many segments, spread evenly over the file; they are the same, to the
            bit, as those of the whole. What lies between is not decoded where the format has an
            exact way past it. A file that has no more is computed whole.
        mp3_error : {"none", "1lsb"}, default "none"
            What no kept patch hears of mp3 is not decoded, as of other formats; results are the
            same to the bit. ``"1lsb"`` leaves out a little more: samples then differ from those
            of the whole by one step of 16 bits (3.1e-5) at the most, before resampling.

        Returns
        -------
        FileAnalysis
            Outputs, starts of segments, and how the file was decoded and ended.

        Raises
        ------
        AudioFileError
            As `AudioFile`.
        InvalidArgumentError
            For samples that are not finite; for a file shorter than a segment with
            ``tail="discard"``; for an option that this model does not have.

        Examples
        --------
        >>> import essentia_maest as maest
        >>> model = maest.Model("default")
        >>> found = model.analyze_file(maest.example_audio(), outputs=["predictions"])
        >>> len(found.predictions) == len(found.start_seconds)
        True
        """
        request = Request(tuple(outputs), block, tokens, patchout, hop, tail, batch_size)
        return self.run_file(request, path, segments, mp3_error)

    @overload
    def stream(  # type: ignore[overload-overlap]
        self,
        output: Literal["embed", "predict"] = "embed",
        *,
        block: int | Sequence[int] = 7,
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
        block: int | Sequence[int] = 7,
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
        block: int | Sequence[int] = 7,
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
