"""Analyse a collection and keep the results, whatever becomes of single files."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from ..errors import InvalidArgumentError, ends_all_work, in_words
from ..front_end import SAMPLE_RATE
from ..model import Model
from ..origin import provenance
from .analysing import LONG_SECONDS, Analysed
from .describe import describe_model, describe_versions, untrained_warning
from .described import Described, Describing
from .interrupts import Interrupts
from .local_engine import LocalEngine
from .messages import OpenAudio
from .opening import open_track
from .options import KEEP, AnalysisOptions, Shares
from .outcomes import Failure, RunReport, StageSeconds
from .progress import Reporter, TrackTold
from .results import SUMMARY
from .resume import EarlierResults
from .scan import Scan, Track
from .sinks import ResultSink, RunFacts
from .worker_processes import time_limit

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Ending:
    """What became of a track: a failure, perhaps one that all others would share, or results."""

    failure: Failure | None = None
    hopeless: str | None = None
    samples: int = 0
    flags: dict[str, Any] = dataclasses.field(default_factory=dict)
    seconds: StageSeconds = dataclasses.field(default_factory=StageSeconds)
    labels: Sequence[dict[str, Any]] = ()


class Engine(Protocol):
    """What analyses tracks, in whatever processes; see `LocalEngine`, which is one."""

    def run(self, tracks: Iterable[Track]) -> Generator[tuple[Track, Ending | Failure], None, None]:
        """Give each track, and what became of it, as they get done; closing it ends all work."""

    def leftovers(self) -> Iterator[tuple[Track, Ending | Failure]]:
        """Give what was concluded, but not given, before the iterator was closed."""


Conclude = Callable[["Analysed | Described"], Ending]
"""What becomes of a track, in the process of the run."""

MakeEngine = Callable[[Conclude, "Describing | None"], Engine]
"""What concludes a track, and what may describe it before, where it was analysed -> an engine."""


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
    sink : ResultSink
        Where results go.
    workers : int
        Processes that decode.
    threads : int
        That infer, at least 1: tracks side by side, or segments where there are not enough tracks.
        Of ``workers + threads + 1`` tracks there are samples in memory, 25 MB each at the most.
        With as many as `workers`, and tracks enough, processes do both; see `LocalEngine`.
    reporter : Reporter
        Who is told.
    resume : bool
        Leave tracks alone whose results are there and were made from the same audio, as the sink
        tells it, with the same model file and options.
    mixed : {"keep", "redo", "refuse"}
        What becomes of those that were computed otherwise; see `EarlierResults`.
    strict : bool
        Truncated and damaged files fail.
    open_audio, limit : callable
        See `DecodingPool`.
    long_seconds : float
        See `essentia_maest.collection.analysing.LONG_SECONDS`.
    make_engine : callable, optional
        What analyses tracks, if not this process and its workers.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model cannot do what the options ask; there are no threads or workers, or too many.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        sink: ResultSink,
        *,
        workers: int,
        threads: int = 1,
        reporter: Reporter,
        resume: bool = False,
        mixed: str = KEEP,
        strict: bool = False,
        open_audio: OpenAudio = open_track,
        limit: Callable[[str], float] = time_limit,
        long_seconds: float = LONG_SECONDS,
        make_engine: MakeEngine | None = None,
    ) -> None:
        self._model = model
        self._options = options
        self._sink = sink
        # Seconds of each track whose results the sink has, in whatever thread: a signal may come
        # between that and what the main thread counts.
        self._kept = array("d")
        self._interrupts = Interrupts()
        self._reporter = reporter
        self._resume = resume
        self._describing = Describing(lambda told, *_: sink.describe(told), strict)
        elsewhere = sink.describe_elsewhere
        describing = None if elsewhere is None else Describing(elsewhere, strict)
        self._engine: Engine
        if make_engine is not None:
            self._engine = make_engine(self._keep, describing)
        else:
            self._engine = LocalEngine(
                model,
                options,
                Shares(workers, threads),
                self._keep,
                open_audio=open_audio,
                limit=limit,
                long_seconds=long_seconds,
                hashed=sink.hashes,
                describing=describing,
                memory=sink.memory,
                quick=describing is not None,
            )
        self._common: dict[str, Any] = {
            "trained": model.trained,
            **({} if model.trained else {"warning": untrained_warning(model)}),
            "model": describe_model(model),
            "options": options.as_json(),
            "provenance": provenance(model),
        }
        self._earlier = EarlierResults(sink, self._common, mixed, strict=strict)

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
        started, clock = datetime.now(timezone.utc), time.monotonic()
        report = _report_of(scan)
        with self._interrupts, self._reporter, contextlib.closing(self._sink):
            try:
                self._sink.open(
                    RunFacts(self._model, self._options, self._common), resume=self._resume
                )
                waiting = self._left_to_do(scan.tracks, report)
                self._sink.begin(waiting)
                for path, reason in scan.unreadable:
                    self._fail(report, Failure(path, "scan", f"cannot be listed: {reason}"))
                self._reporter.start(len(waiting), report.resumed)
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

    def plan(self, scan: Scan) -> tuple[list[Track], RunReport]:
        """Tell what `run` would do; nothing is written.

        Parameters
        ----------
        scan : Scan
            What would be analysed.

        Returns
        -------
        waiting : list of Track
            What is left to do.
        report : RunReport
            With what is known before.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            `run` would raise it, too.
        """
        report = _report_of(scan)
        self._sink.open(RunFacts(self._model, self._options, self._common), resume=self._resume)
        return self._left_to_do(scan.tracks, report), report

    def _left_to_do(self, tracks: list[Track], report: RunReport) -> list[Track]:
        if not self._resume:
            return tracks
        left = self._earlier.left_to_do(tracks)
        report.resumed = len(tracks) - len(left)
        report.mixed = self._earlier.mixed
        report.flagged = self._earlier.flagged
        _log.info("%d of %d tracks were done before", report.resumed, report.found)
        if (warning := self._earlier.warning()) is not None:
            self._reporter.say(warning)
        return left

    def _run(self, waiting: list[Track], report: RunReport) -> None:
        try:
            with contextlib.closing(self._engine.run(waiting)) as endings:
                for track, ending in endings:
                    self._conclude(track, ending, report)
                    if report.stopped is not None:
                        return
        finally:
            # an interrupted run tells of all that it wrote
            for track, ending in self._engine.leftovers():
                self._conclude(track, ending, report)

    def _conclude(self, track: Track, ending: Ending | Failure, report: RunReport) -> None:
        if isinstance(ending, Failure):
            ending = Ending(ending)
        if ending.failure is not None:
            self._fail(report, ending.failure, track)
        else:
            report.analyzed += 1
            seconds = ending.samples / SAMPLE_RATE
            report.audio_seconds += seconds
            self._reporter.track(TrackTold(track.path, seconds, ending.labels))
        report.flagged.add(track.path, ending.flags)
        report.seconds.add(ending.seconds)
        if ending.hopeless is not None and report.stopped is None:
            report.stopped = ending.hopeless
        if report.stopped is None:
            self._reporter.done()

    def _keep(self, done: Analysed | Described) -> Ending:
        """Write the results of a track, and count it."""
        with self._interrupts.put_off():
            if isinstance(done, Analysed):
                return self._kept_or_not(
                    done.track.path, self._describing(done, self._model, self._options)
                )
            return self._kept_or_not(done.path, done)

    def _kept_or_not(self, path: str, described: Described) -> Ending:
        flags, seconds = described.flags, described.seconds
        if described.failure is not None:
            return Ending(described.failure, flags=flags, seconds=seconds)
        started = time.perf_counter()
        try:
            self._sink.track(described.rows)
        except Exception as error:
            failure = Failure.of(path, "write", error)
            hopeless = ends_all_work(error)
            return Ending(
                failure,
                f"results cannot be written: {failure.reason}" if hopeless else None,
            )
        heard = described.samples / SAMPLE_RATE
        self._kept.append(heard)
        seconds.writing = time.perf_counter() - started
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s: %.1f s of audio, %s", path, heard, seconds.rounded())
        labels = self._sink.labels(described.rows)
        return Ending(None, None, described.samples, flags, seconds, labels)

    def _fail(self, report: RunReport, failure: Failure, track: Track | None = None) -> None:
        report.failures.append(failure)
        self._sink.failure(failure, track)
        self._reporter.failed(failure)

    def _flush(self, report: RunReport) -> None:
        report.analyzed, report.audio_seconds = len(self._kept), sum(self._kept)
        try:
            self._sink.flush()
        except OSError as error:
            report.analyzed -= self._sink.unwritten
            if report.stopped is None:
                failure = Failure.of(str(self._sink.path), "summary", error)
                self._fail(report, failure)
                report.stopped = f"results cannot be written: {failure.reason}"

    def _write_summary(self, report: RunReport, started: datetime, clock: float) -> None:
        self._flush(report)
        summary = {
            "started": started.isoformat(timespec="seconds"),
            "wall_seconds": round(time.monotonic() - clock, 3),
            **report.as_json(),
            **self._common,
            "versions": describe_versions(),
        }
        try:
            self._sink.write_summary(summary)
        except OSError as error:
            failure = Failure.of(str(self._sink.path / SUMMARY), "summary", error)
            self._fail(report, failure)
            report.stopped = report.stopped or f"the summary cannot be written: {failure.reason}"
        self._reporter.end(report, time.monotonic() - clock)


def _report_of(scan: Scan) -> RunReport:
    return RunReport(
        found=len(scan.tracks),
        duplicates=scan.duplicates,
        left_out=scan.left_out,
        skipped=scan.skipped,
    )
