"""Analyse a collection: decode in workers, infer in this process, keep the results.

Most tracks are decoded whole, a few ahead. Long ones come after them, piece by piece.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from threading import Event
from typing import Any, cast

from ..decoding.audio import load_audio
from ..decoding.pieces import write_pieces
from ..errors import InvalidArgumentError, MaestError
from ..front_end import SAMPLE_RATE
from ..model import Array, Model
from .analysis import GuardedAnalysis
from .decode import Decoded, DecodeFunction, DecodePool, Failure, time_limit
from .describe import describe_model, describe_track, describe_versions, untrained_warning
from .long_tracks import Ended, LongTracks, Piece, StartedOver
from .options import AnalysisOptions
from .piece_writer import PieceFunction
from .progress import Reporter
from .results import ResultFolder
from .scan import Scan, Track
from .short_tracks import LONG_SECONDS, load_unless_long
from .side_by_side import SideBySide

# Pieces of long tracks: enough segments for threads that get done early to go on, within bounds.
_SEGMENTS_PER_THREAD = 2
_PIECE_SECONDS = (60.0, 480.0)

# What will not be better with the next track.
_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclasses.dataclass
class RunReport:
    """What became of a run.

    Attributes
    ----------
    found, analyzed, resumed : int
        Tracks found, analysed now, and left alone because they were done before.
    duplicates : int
        Names left out because they lead to a track already found.
    failures : list of Failure
        Tracks and folders that came to nothing.
    audio_seconds : float
        Length of what was analysed now.
    stopped : str or None
        Why the run ended early, if it did.
    """

    found: int = 0
    analyzed: int = 0
    resumed: int = 0
    duplicates: int = 0
    failures: list[Failure] = dataclasses.field(default_factory=list)
    audio_seconds: float = 0.0
    stopped: str | None = None


@dataclasses.dataclass(frozen=True)
class _Ending:
    """What became of a track: a failure, perhaps one that all others would share, or samples."""

    failure: Failure | None = None
    hopeless: str | None = None
    samples: int = 0


def threads_of_model(tracks: int, threads: int) -> int:
    """Tell how many threads a run's model is to be opened with.

    Several tracks side by side gain more from threads than the operators of one.

    Parameters
    ----------
    tracks : int
        To analyse.
    threads : int
        That the run may use.

    Returns
    -------
    int
    """
    return threads if tracks == 1 else 1


class CollectionRun:
    """One run over a collection.

    Parameters
    ----------
    model : Model
        Shared by all tracks.
    options : AnalysisOptions
        What is asked of each.
    folder : ResultFolder
        Where results go.
    workers : int
        Processes that decode.
    threads : int
        That infer, at least 1: tracks side by side, or segments where there are not enough tracks.
        As many decoded tracks are in memory besides those of the workers, 77 MB each at the most.
    reporter : Reporter
        Who is told.
    resume : bool
        Leave tracks alone whose results are there and were made from a file of the same size with
        the same model file and options.
    decode, limit : callable
        See `DecodePool`.
    long_seconds : float
        Tracks of at least this length are decoded piece by piece.
    decode_pieces : callable
        See `LongTracks`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model cannot do what the options ask, or there are no threads.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        folder: ResultFolder,
        *,
        workers: int,
        threads: int = 1,
        reporter: Reporter,
        resume: bool = False,
        decode: DecodeFunction = load_audio,
        limit: Callable[[str], float] = time_limit,
        long_seconds: float = LONG_SECONDS,
        decode_pieces: PieceFunction = write_pieces,
    ) -> None:
        if threads < 1:
            raise InvalidArgumentError(f"threads is {threads}; 1 or more wanted")
        self._plan = model.plan(options.request)  # refuses what the model does not have
        self._model = model
        self._options = options
        self._folder = folder
        self._workers = workers
        self._threads = threads
        self._reporter = reporter
        self._resume = resume
        self._decode = decode
        self._limit = limit
        self._long_seconds = long_seconds
        self._decode_pieces = decode_pieces
        self._common: dict[str, Any] = {
            "trained": model.trained,
            **({} if model.trained else {"warning": untrained_warning(model)}),
            "model": describe_model(model),
            "options": options.as_json(),
        }

    def run(self, scan: Scan) -> RunReport:
        """Analyse every track; one that fails is reported and the rest go on.

        The summary is written at the end, also if the run is interrupted.

        Parameters
        ----------
        scan : Scan
            What to analyse.

        Returns
        -------
        RunReport
            What became of it.

        Raises
        ------
        KeyboardInterrupt
            After the worker processes were ended and the summary was written.
        OSError
            The summary could not be written.
        """
        report = RunReport(found=len(scan.tracks), duplicates=scan.duplicates)
        started = datetime.now(timezone.utc)
        clock = time.monotonic()
        with self._reporter:
            try:
                for path, reason in scan.unreadable:
                    self._fail(report, Failure(path, "scan", f"cannot be listed: {reason}"))
                waiting = [track for track in scan.tracks if not self._is_done(track)]
                report.resumed = len(scan.tracks) - len(waiting)
                self._reporter.start(len(waiting))
                self._run(waiting, report)
            except KeyboardInterrupt:
                report.stopped = "interrupted"
                raise
            finally:
                seconds = time.monotonic() - clock
                self._folder.write_summary(self._summary(report, started, seconds))
        return report

    def _run(self, waiting: list[Track], report: RunReport) -> None:
        long = self._run_short(waiting, report)
        if long and report.stopped is None:
            self._run_long(long, report)

    def _run_short(self, waiting: list[Track], report: RunReport) -> list[Track]:
        """Analyse the tracks that are not long, and return those that are."""
        long: list[Track] = []
        decode = partial(load_unless_long, decode=self._decode, longest=self._long_seconds)
        workers = max(1, min(self._workers, len(waiting)))
        tracks = max(1, min(self._threads, len(waiting)))
        analyses = SideBySide[_Ending | None](tracks)
        try:
            with DecodePool(workers, cast(DecodeFunction, decode), self._limit) as pool, analyses:
                for outcome in pool.decode(waiting):
                    if isinstance(outcome, Failure):
                        self._conclude(_Ending(outcome), report)
                    elif cast("Array | None", outcome.audio) is None:
                        long.append(outcome.track)
                    else:
                        work = partial(
                            self._analyze, outcome, self._threads // tracks, analyses.stopping
                        )
                        for ending in analyses.begin(work):
                            self._conclude(ending, report)
                        del work
                    if report.stopped is not None:
                        return []
                    del outcome  # its samples, before the next are waited for
                for ending in analyses.rest():
                    self._conclude(ending, report)
        finally:
            # an interrupted run tells of all that it wrote
            for ending in analyses.leftovers():
                self._conclude(ending, report)
        return long

    def _analyze(self, decoded: Decoded, at_once: int, stopping: Event) -> _Ending | None:
        """Analyse a track; None as soon as the run is left, which is looked at between pieces."""
        try:
            analysis = GuardedAnalysis(decoded.track, self._model, self._options, at_once)
        except Exception as error:
            return _Ending(Failure(decoded.track.path, "analyze", _reason(error)))
        hop = min(self._plan.hop_seconds, self._model.hop_seconds)
        step = max(1, round(at_once * hop * SAMPLE_RATE))
        for begin in range(0, len(decoded.audio), step):
            if stopping.is_set():
                return None
            analysis.push(decoded.audio[begin : begin + step])
        return self._end(analysis)

    def _run_long(self, tracks: list[Track], report: RunReport) -> None:
        least, most = _PIECE_SECONDS
        piece_seconds = _SEGMENTS_PER_THREAD * self._threads * self._model.hop_seconds
        analyses: dict[str, GuardedAnalysis] = {}
        with LongTracks(
            min(self._workers, len(tracks)),
            min(max(piece_seconds, least), most),
            self._decode_pieces,
            self._limit,
        ) as decoding:
            for event in decoding.decode(tracks):
                if isinstance(event, Failure):
                    analyses.pop(event.path, None)
                    self._conclude(_Ending(event), report)
                elif isinstance(event, StartedOver):
                    del analyses[event.track.path]
                elif isinstance(event, Piece):
                    if event.track.path not in analyses:
                        analyses[event.track.path] = GuardedAnalysis(
                            event.track, self._model, self._options, self._threads
                        )
                    analyses[event.track.path].push(event.audio)
                elif isinstance(event, Ended):
                    self._conclude(self._end(analyses.pop(event.track.path)), report)
                if report.stopped is not None:
                    return
                del event  # its samples, before the next are waited for

    def _conclude(self, ending: _Ending | None, report: RunReport) -> None:
        if ending is None:
            return
        if ending.failure is not None:
            self._fail(report, ending.failure)
        else:
            report.analyzed += 1
            report.audio_seconds += ending.samples / SAMPLE_RATE
        if ending.hopeless is not None and report.stopped is None:
            report.stopped = ending.hopeless
        if report.stopped is None:
            self._reporter.done()

    def _end(self, analysis: GuardedAnalysis) -> _Ending:
        track, samples = analysis.track, analysis.samples
        try:
            arrays = analysis.finish()
            result = describe_track(track.path, samples, self._model, self._options, arrays)
        except Exception as error:
            return _Ending(Failure(track.path, "analyze", _reason(error)))
        try:
            # The path first, the long list of segments last: for whoever looks into the file.
            head = {"track": track.path, **self._common}
            self._folder.write(track.result, {**head, **result}, arrays)
        except Exception as error:
            hopeless = isinstance(error, OSError) and error.errno in _HOPELESS
            return _Ending(
                Failure(track.path, "write", _reason(error)),
                f"results cannot be written: {_words(error)}" if hopeless else None,
            )
        return _Ending(samples=samples)

    def _is_done(self, track: Track) -> bool:
        found = self._folder.read(track.result) if self._resume else None
        if found is None:
            return False
        try:
            size = os.stat(track.path).st_size
        except OSError:
            return False
        same = {"track": track.path, "file_size": size, "options": self._common["options"]}
        model = found.get("model")
        return (
            all(found.get(key) == value for key, value in same.items())
            and isinstance(model, dict)
            and all(model.get(key) == self._common["model"][key] for key in ("name", "sha256"))
        )

    def _fail(self, report: RunReport, failure: Failure) -> None:
        report.failures.append(failure)
        self._reporter.failed(failure)

    def _summary(self, report: RunReport, started: datetime, seconds: float) -> dict[str, Any]:
        counts = {
            "found": report.found,
            "analyzed": report.analyzed,
            "resumed": report.resumed,
            "failed": len(report.failures),
            "duplicates": report.duplicates,
        }
        return {
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": round(seconds, 3),
            "audio_seconds": round(report.audio_seconds, 3),
            "stopped": report.stopped,
            "counts": counts,
            "failures": [dataclasses.asdict(failure) for failure in report.failures],
            **self._common,
            "versions": describe_versions(),
        }


def _reason(error: Exception) -> str:
    if isinstance(error, MaestError):
        return str(error)
    return f"{type(error).__name__}: {_words(error)}"


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
