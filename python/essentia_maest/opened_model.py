"""A model file opened: what it is, and whatever can be asked of it, as one `Request`."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .decoding.audio_file import AudioFile, engine_file
from .errors import UntrainedModelWarning
from .file_analysis import FileAnalysis
from .front_end import SAMPLE_RATE
from .hearing import Hearing, Mp3Error, checked_mp3_error, pieces
from .ort_library import use_library
from .reading.description import read_info, read_labels
from .reading.families import METADATA_KEY, checked_families
from .reading.store import resolve
from .request import Output, Request, outputs_of
from .samples import as_samples
from .spread import Chosen, PartsStream, Spread, start_seconds, wanted_parts
from .stream import Stream

Array = npt.NDArray[np.float32]

_log = logging.getLogger(__name__)


class OpenedModel:
    """What `Model` is built on; its parameters, attributes and errors are told there."""

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

    def __reduce__(self) -> tuple[type[OpenedModel], tuple[str, int]]:
        return type(self), (self._given, self._threads_given)

    def __repr__(self) -> str:
        return (
            f"<Model {self.name!r}: {self.segment_seconds:g} s segments, {self.depth} blocks of "
            f"{self.dim}, {len(self.labels)} classes, {self.precision}>"
        )

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

    def hearing(self, plan: _core.Plan, mp3_error: Mp3Error = "none") -> Hearing | None:
        """Tell what of files has to be decoded.

        Parameters
        ----------
        plan : Plan
            What is asked comes to.
        mp3_error : {"none", "1lsb"}, default "none"
            What leaving out may change of mp3: see `Model.analyze_file`.

        Returns
        -------
        Hearing or None
            None is everything.

        Raises
        ------
        InvalidArgumentError
            `mp3_error` is neither.
        """
        known = checked_mp3_error(mp3_error)
        heard = self._engine.hearing(plan)
        return Hearing(heard, known) if heard.has_gaps else None

    def run(
        self, request: Request, audio: npt.ArrayLike, sample_rate: float = SAMPLE_RATE
    ) -> dict[str, Array]:
        """Compute what is asked of a whole signal.

        Parameters
        ----------
        request : Request
            What is asked.
        audio : array_like, shape [samples]
            Mono samples, float32 (float64 is converted).
        sample_rate : float, default 16000
            Their rate in Hz; another is resampled as by Essentia's ``Resample(quality=4)``.

        Returns
        -------
        dict of str to numpy.ndarray
            float32, shape [segments, ...], under the names of `Request.outputs`.

        Raises
        ------
        InvalidArgumentError
            For audio that is not as above, empty, not finite, or too short for ``tail="discard"``;
            for an option that this model does not have.
        """
        samples = as_samples(audio, sample_rate)
        results = _core.extract(self._engine, request.for_engine(), samples)
        return dict(zip(request.outputs, results, strict=True))

    def run_file(
        self,
        request: Request,
        path: str | os.PathLike[str],
        segments: int | None = None,
        mp3_error: Mp3Error = "none",
    ) -> FileAnalysis:
        """Compute what is asked of a file, decoded piece by piece.

        Parameters
        ----------
        request : Request
            What is asked.
        path : str or os.PathLike
            See `AudioFile`.
        segments : int, optional
            Compute only so many segments, spread evenly over the file; None is all, and so is what
            has no more.
        mp3_error : {"none", "1lsb"}, default "none"
            See `Model.analyze_file`.

        Returns
        -------
        FileAnalysis

        Raises
        ------
        AudioFileError
            As `AudioFile`.
        InvalidArgumentError
            As `run`.
        """
        plan = self.plan(request)
        spread = Spread.of(plan, segments)
        hearing = self.hearing(plan, mp3_error)
        with AudioFile(path) as file:
            results, chosen = self._results_of(request, file, spread, hearing)
            starts = (
                plan.start_seconds(len(results[0]))
                if chosen.starts is None
                else start_seconds(chosen.starts)
            )
            found = file.seconds_found
            if found is None:  # only parts of it were read
                found = (chosen.samples or 0) / SAMPLE_RATE
            return FileAnalysis(
                path=file.path,
                outputs=dict(zip(request.outputs, results, strict=True)),
                start_seconds=starts,
                seconds=found,
                segment_seconds=plan.segment_seconds,
                container=file.container,
                codec=file.codec,
                decoder=file.decoder,
                ending=file.ending or "unknown",
                seconds_promised=file.seconds_promised,
                damage=file.damage,
            )

    def _results_of(
        self, request: Request, file: AudioFile, spread: Spread | None, hearing: Hearing | None
    ) -> tuple[tuple[Array, ...], Chosen]:
        opened = engine_file(file)
        if opened is not None and spread is None:
            one_step = hearing is not None and hearing.mp3_error == "1lsb"
            results = _core.analyze_file(self._engine, request.for_engine(), opened, one_step)
            return results, Chosen(None, None)
        stream = self.open_stream(request)
        chosen, parts = Chosen(None, None), None
        outputs: list[tuple[Array, ...]] = []
        for part in wanted_parts(file, spread, hearing):
            if isinstance(part, Chosen):
                chosen, parts, outputs = part, None, []
                stream.reset()
                if spread is not None and chosen.starts is not None:
                    parts = PartsStream(stream, [spread.section(one) for one in chosen.starts])
            else:
                for piece in pieces(part.read):
                    if parts is None:
                        outputs.append(stream.push(piece))
                    else:
                        outputs += parts.push(piece)
        if parts is None:
            outputs.append(stream.finish())
        return tuple(np.concatenate(one) for one in zip(*outputs, strict=True)), chosen

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
