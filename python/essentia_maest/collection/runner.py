"""Analyse a collection: decode in workers, infer in this process, keep the results.

Most tracks are decoded whole, a few ahead. Long ones come after them, piece by piece.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from threading import Event
from typing import Any

from ..decoding.audio import load_audio
from ..decoding.pieces import write_pieces
from ..errors import InvalidArgumentError, ends_all_work, in_words
from ..front_end import SAMPLE_RATE
from ..log import LOGGER, tell_again
from ..model import Model
from ..opened_model import Array
from ..origin import provenance
from .analysis import GuardedAnalysis
from .describe import describe_model, describe_track, describe_versions, untrained_warning
from .long_tracks import Ended, LongTracks, Piece, StartedOver
from .options import KEEP, AnalysisOptions, Shares
from .outcomes import Failure, RunReport, StageSeconds
from .piece_writer import PieceFunction
from .progress import Reporter
from .results import SUMMARY, ResultFolder
from .resume import EarlierResults
from .scan import Scan, Track
from .short_tracks import LONG_SECONDS, DecodeFunction, load_unless_long
from .side_by_side import SideBySide
from .worker_pool import WorkerPool
from .worker_processes import time_limit

_log = logging.getLogger(__name__)

# Pieces of long tracks: enough segments for threads that get done early to go on, within bounds.
_SEGMENTS_PER_THREAD = 2
_PIECE_SECONDS = (60.0, 480.0)


@dataclasses.dataclass(frozen=True)
class _Ending:
    """What became of a track: a failure, perhaps one that all others would share, or samples."""

    failure: Failure | None = None
    hopeless: str | None = None
    samples: int = 0
    seconds: StageSeconds = dataclasses.field(default_factory=StageSeconds)


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
    mixed : {"keep", "redo", "refuse"}
        What becomes of those that were computed otherwise; see `EarlierResults`.
    decode : callable
        Path of a file -> samples, for tracks that are decoded whole. Runs in fresh processes,
        which have to be able to import it.
    limit : callable
        See `WorkerPool`.
    long_seconds : float
        Tracks of at least this length are decoded piece by piece.
    decode_pieces : callable
        See `LongTracks`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model cannot do what the options ask; there are no threads or workers, or too many.
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
        mixed: str = KEEP,
        decode: DecodeFunction = load_audio,
        limit: Callable[[str], float] = time_limit,
        long_seconds: float = LONG_SECONDS,
        decode_pieces: PieceFunction = write_pieces,
    ) -> None:
        Shares(workers, threads)  # refuses what no machine has
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
            "provenance": provenance(model),
        }
        self._earlier = EarlierResults(folder, self._common, mixed)

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
        essentia_maest.errors.InvalidArgumentError
            There are results that were computed otherwise, and these are refused.
        essentia_maest.errors.StoppedEarlyError
            No process, or no thread, can be started.
        """
        report = RunReport(found=len(scan.tracks), duplicates=scan.duplicates)
        started = datetime.now(timezone.utc)
        clock = time.monotonic()
        with self._reporter:
            try:
                for path, reason in scan.unreadable:
                    self._fail(report, Failure(path, "scan", f"cannot be listed: {reason}"))
                waiting = self._left_to_do(scan.tracks, report)
                self._folder.remove_scraps(track.result for track in waiting)
                self._reporter.start(len(waiting))
                self._run(waiting, report)
            except InvalidArgumentError:  # nothing was begun
                raise
            except BaseException as error:
                stop = isinstance(error, KeyboardInterrupt)
                report.stopped = "interrupted" if stop else in_words(error)
                self._write_summary(report, started, clock)
                raise
            self._write_summary(report, started, clock)
        return report

    def _left_to_do(self, tracks: list[Track], report: RunReport) -> list[Track]:
        if not self._resume:
            return tracks
        left = self._earlier.left_to_do(tracks)
        report.resumed = len(tracks) - len(left)
        report.mixed = self._earlier.mixed
        _log.info("%d of %d tracks were done before", report.resumed, report.found)
        if (warning := self._earlier.warning()) is not None:
            self._reporter.say(warning)
        return left

    def _run(self, waiting: list[Track], report: RunReport) -> None:
        long = self._run_short(waiting, report)
        if long and report.stopped is None:
            self._run_long(long, report)

    def _run_short(self, waiting: list[Track], report: RunReport) -> list[Track]:
        """Analyse the tracks that are not long, and return those that are."""
        long: list[Track] = []
        decode = partial(
            load_unless_long,
            decode=self._decode,
            longest=self._long_seconds,
            log_level=LOGGER.getEffectiveLevel(),
        )
        workers = max(1, min(self._workers, len(waiting)))
        tracks = max(1, min(self._threads, len(waiting)))
        analyses = SideBySide[_Ending | None](tracks)
        try:
            with WorkerPool(workers, decode, self._limit) as pool, analyses:
                for outcome in pool.run(waiting):
                    if isinstance(outcome, Failure):
                        self._conclude(_Ending(outcome), report)
                        continue
                    whole = outcome.result
                    tell_again(whole.log)
                    report.seconds.decode += whole.seconds
                    if whole.samples is None:
                        long.append(outcome.track)
                    else:
                        work = partial(
                            self._analyze,
                            outcome.track,
                            whole.samples,
                            self._threads // tracks,
                            analyses.stopping,
                        )
                        for ending in analyses.begin(work):
                            self._conclude(ending, report)
                        del work
                    if report.stopped is not None:
                        return []
                    del outcome, whole  # its samples, before the next are waited for
                for ending in analyses.rest():
                    self._conclude(ending, report)
        finally:
            # an interrupted run tells of all that it wrote
            for ending in analyses.leftovers():
                self._conclude(ending, report)
        return long

    def _analyze(
        self, track: Track, samples: Array, at_once: int, stopping: Event
    ) -> _Ending | None:
        """Analyse a track; None as soon as the run is left, which is looked at between pieces."""
        try:
            analysis = GuardedAnalysis(track, self._model, self._options, at_once)
        except Exception as error:
            return _Ending(Failure.of(track.path, "analyze", error))
        hop = min(self._plan.hop_seconds, self._model.hop_seconds)
        step = max(1, round(at_once * hop * SAMPLE_RATE))
        for begin in range(0, len(samples), step):
            if stopping.is_set():
                return None
            analysis.push(samples[begin : begin + step])
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
                    report.seconds.decode += event.seconds
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
        report.seconds.add(ending.seconds)
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
            failure = Failure.of(track.path, "analyze", error)
            return _Ending(failure, seconds=analysis.seconds)
        seconds = analysis.seconds
        started = time.perf_counter()
        try:
            # The path first, the long list of segments last: for whoever looks into the file.
            head = {"track": track.path, **self._common}
            self._folder.write(track.result, {**head, **result}, arrays)
        except Exception as error:
            failure = Failure.of(track.path, "write", error)
            hopeless = ends_all_work(error)
            return _Ending(
                failure, f"results cannot be written: {failure.reason}" if hopeless else None
            )
        seconds.writing = time.perf_counter() - started
        _log.debug("%s: %.1f s of audio, %s", track.path, samples / SAMPLE_RATE, seconds.rounded())
        return _Ending(samples=samples, seconds=seconds)

    def _fail(self, report: RunReport, failure: Failure) -> None:
        report.failures.append(failure)
        self._reporter.failed(failure)

    def _write_summary(self, report: RunReport, started: datetime, clock: float) -> None:
        summary = {
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.monotonic() - clock, 3),
            **report.as_json(),
            **self._common,
            "versions": describe_versions(),
        }
        try:
            self._folder.write_summary(summary)
        except OSError as error:
            failure = Failure.of(str(self._folder.path / SUMMARY), "summary", error)
            self._fail(report, failure)
            report.stopped = report.stopped or f"the summary cannot be written: {failure.reason}"
