"""One track's results, computed while its samples come."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ..hearing import Readable, engine_samples, pieces
from ..model import Model
from ..opened_model import Array
from ..spread import PartsStream, start_seconds
from ..stream import push_file
from .options import AnalysisOptions
from .outcomes import StageSeconds
from .track_decoding import Read

Turn = Callable[[bool], object]
"""Called with True before samples are computed, with False before others are decoded."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """What came of a track.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        "predictions" [segments, classes], "embeddings" [segments, values], or both; float32.
    starts : numpy.ndarray
        Seconds at which the segments start, shape [segments], float64.
    segment_seconds : float
        How long they are. The last may go beyond the end of the track.
    """

    arrays: dict[str, Array]
    starts: npt.NDArray[np.float64]
    segment_seconds: float


class TrackAnalysis:
    """What is asked of a track, in memory that grows with the results only.

    However the samples are divided, results are, bit for bit, those of `Model.analyze`,
    `Model.predict` or `Model.embed` on all of them.

    Parameters
    ----------
    model : Model
        Shared by all tracks.
    options : AnalysisOptions
        What is asked.
    at_once : int
        Segments computed side by side.
    starts : sequence of int, optional
        First frames of some segments. The samples are those of their sections then, as
        `options.spread` has them, one after the other.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model does not have what the options ask.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        at_once: int = 1,
        starts: Sequence[int] | None = None,
    ) -> None:
        request = dataclasses.replace(options.request, batch_size=at_once)
        self._stream = model.open_stream(request)
        self._results: dict[str, list[Array]] = {name: [] for name in request.outputs}
        self._starts = starts
        self._parts = None
        spread = options.spread(self._stream.plan)
        if starts is not None and spread is not None:
            self._parts = PartsStream(self._stream, [spread.section(start) for start in starts])

    def push(self, samples: Array) -> None:
        """Take the next samples.

        Parameters
        ----------
        samples : numpy.ndarray
            float32, shape [samples], mono at 16 kHz.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            One is not finite.
        """
        if self._parts is None:
            self._keep(self._stream.push(samples))
        else:
            for outputs in self._parts.push(samples):
                self._keep(outputs)

    def hear(self, part: Readable, turn: Turn) -> Read:
        """Read samples to their end, and take them.

        Parameters
        ----------
        part : Readable
            What has them: where the engine reads it, no sample is in Python.
        turn : callable
            See `Turn`; not called after an error while computing.

        Returns
        -------
        Read

        Raises
        ------
        essentia_maest.errors.MaestError
            They cannot be decoded; or as `push`.
        """
        engine = engine_samples(part) if self._parts is None else None
        if engine is not None:
            outputs, samples, peak = push_file(self._stream, engine, turn)
            self._keep(outputs)
            return Read(samples, peak)
        read = Read()
        for piece in pieces(part.read):
            turn(True)
            read = read.and_piece(piece)
            self.push(piece)
            turn(False)
        return read

    def finish(self) -> Analysis:
        """End the track.

        Returns
        -------
        Analysis

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            The track is too short for a segment.
        """
        if self._starts is None:
            self._keep(self._stream.finish())
        arrays = {kind: np.concatenate(parts) for kind, parts in self._results.items()}
        plan = self._stream.plan
        if self._starts is None:
            starts = plan.start_seconds(len(next(iter(arrays.values()))))
        else:
            starts = start_seconds(self._starts)
        return Analysis(arrays, starts, plan.segment_seconds)

    def stop(self) -> None:
        """End what another thread is in; see `Stream.stop`."""
        self._stream.stop()

    @property
    def seconds(self) -> StageSeconds:
        """Where the time went so far."""
        front_end, model = self._stream.seconds
        return StageSeconds(front_end=front_end, model=model)

    def _keep(self, outputs: tuple[Array, ...]) -> None:
        for parts, output in zip(self._results.values(), outputs, strict=True):
            if len(output):
                parts.append(output)


class GuardedAnalysis:
    """A `TrackAnalysis` whose error is told when the track has ended.

    A track that turns out undecodable counts as that, whatever the model said of its beginning.

    Parameters
    ----------
    make : callable
        Makes the analysis.
    """

    def __init__(self, make: Callable[[], TrackAnalysis]) -> None:
        self._analysis: TrackAnalysis | None = None
        self._error: Exception | None = None
        try:
            self._analysis = make()
        except Exception as error:
            self._error = error

    @property
    def seconds(self) -> StageSeconds:
        """Where the time went so far."""
        return StageSeconds() if self._analysis is None else self._analysis.seconds

    def stop(self) -> None:
        """End what another thread is in; see `Stream.stop`."""
        if self._analysis is not None:
            self._analysis.stop()

    def push(self, samples: Array) -> None:
        """Take the next samples; after an error, let them go.

        All in one call, without Python's lock but for its begin and end; `stop` ends it.

        Parameters
        ----------
        samples : numpy.ndarray
            See `TrackAnalysis.push`.
        """
        if self._error is not None or self._analysis is None:
            return
        try:
            self._analysis.push(samples)
        except Exception as error:
            # Its frames would hold the samples, and with them memory that is shared.
            self._error = error.with_traceback(None)

    def hear(self, part: Readable, turn: Turn) -> Read:
        """Read samples to their end, and take them; after an error, let them go.

        Parameters
        ----------
        part, turn
            See `TrackAnalysis.hear`.

        Returns
        -------
        Read

        Raises
        ------
        Exception
            They cannot be decoded.
        """
        computing = False

        def noted(now: bool) -> None:
            nonlocal computing
            computing = now
            turn(now)

        if self._error is None and self._analysis is not None:
            try:
                return self._analysis.hear(part, noted)
            except Exception as error:
                if not computing:
                    raise
                self._error = error.with_traceback(None)
                turn(False)
        read = Read()
        for piece in pieces(part.read):  # it may be that the track cannot be decoded
            read = read.and_piece(piece)
        return read

    def finish(self) -> Analysis:
        """End the track.

        Returns
        -------
        Analysis

        Raises
        ------
        Exception
            The first that was met, or what `TrackAnalysis.finish` raises.
        """
        if self._error is not None or self._analysis is None:
            raise self._error or RuntimeError("no analysis was made")
        return self._analysis.finish()
