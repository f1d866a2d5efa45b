"""Tell the person at the terminal, the log file, or the program that reads it, how far a run is.

All of it goes to stderr, but for the line of each track, which is a result.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol

from ..progress import ProgressDisplay, tell, tell_event
from ..results.path_text import path_text
from .outcomes import Failure, RunReport, failure_line

EVENT_EVERY_SECONDS = 10.0
"""Seconds between events that tell how far a run is."""


@dataclasses.dataclass(frozen=True)
class TrackTold:
    """What is told of a track that is done.

    Attributes
    ----------
    path : str
        Which.
    seconds : float
        How long it is.
    labels : sequence of dict
        ``family``, ``label``, ``activation``: the strongest first, of each family or of all.
    """

    path: str
    seconds: float
    labels: Sequence[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Lines:
    """The lines of tracks, which are results.

    Attributes
    ----------
    of_track : callable
        Spells a track.
    write : callable
        Prints a line on stdout.
    """

    of_track: Callable[[TrackTold], str]
    write: Callable[[str], None]


class Reporter(Protocol):
    """What a run tells as it goes; a context manager round the run."""

    def __enter__(self) -> Reporter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def start(self, total: int, resumed: int = 0) -> None:
        """Say that `total` tracks are to be analysed, and so many were done before."""

    def track(self, told: TrackTold) -> None:
        """Say what came of a track."""

    def done(self) -> None:
        """Say that a track is done, well or badly."""

    def failed(self, failure: Failure) -> None:
        """Say what failed, and why."""

    def say(self, text: str) -> None:
        """Say something else that is worth a line."""

    def end(self, report: RunReport, seconds: float) -> None:
        """Say that all is over, and written."""


class Rates:
    """How fast a run is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.failed = 0
        self.audio_seconds = 0.0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return max(time.monotonic() - self._began, 1e-9)

    @property
    def files_per_second(self) -> float:
        """Tracks done, well or badly, a second."""
        return self.done / self.seconds

    @property
    def audio_minutes_per_second(self) -> float:
        """Minutes of audio that were analysed, a second."""
        return self.audio_seconds / 60 / self.seconds

    @property
    def seconds_left(self) -> float | None:
        """About how long it will take; None while nothing tells."""
        left = max(0, self.total - self.done)
        return left / self.files_per_second if self.done else None

    def __str__(self) -> str:
        failed = f"{self.failed} failed, " if self.failed else ""
        return (
            f"{failed}{self.files_per_second:.3g} files/s, "
            f"{self.audio_minutes_per_second:.3g} min of audio/s"
        )


class SilentReporter:
    """Failures and warnings only."""

    def __enter__(self) -> SilentReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: nothing is open."""

    def start(self, total: int, resumed: int = 0) -> None:
        """Say nothing."""

    def track(self, told: TrackTold) -> None:
        """Say nothing."""

    def done(self) -> None:
        """Say nothing."""

    def failed(self, failure: Failure) -> None:
        """Print the failure in one line."""
        tell(failure_line(failure))

    def say(self, text: str) -> None:
        """Print it."""
        tell(f"maest: {text}")

    def end(self, report: RunReport, seconds: float) -> None:
        """Say nothing."""


class DisplayReporter(SilentReporter):
    """A bar on a terminal, a line now and then in a log file.

    Parameters
    ----------
    display : ProgressDisplay
        Where it is shown.
    lines : Lines, optional
        For each track that is done.
    """

    def __init__(self, display: ProgressDisplay, lines: Lines | None = None) -> None:
        self._display = display
        self._lines = lines
        self._rates = Rates(0)

    def __enter__(self) -> DisplayReporter:
        self._display.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it stands."""
        self._display.__exit__(kind, error, traceback)

    def start(self, total: int, resumed: int = 0) -> None:
        """Set the length of the bar."""
        self._rates = Rates(total)
        self._display.start(total)

    def track(self, told: TrackTold) -> None:
        """Print its line, above the bar where that is on the same terminal."""
        self._rates.audio_seconds += told.seconds
        if self._lines is None:
            return
        text = self._lines.of_track(told)
        if self._display.shares_stdout:
            self._display.message(text)
        else:
            self._lines.write(text)

    def done(self) -> None:
        """Move the bar on."""
        self._rates.done += 1
        self._display.advance(note=str(self._rates))

    def failed(self, failure: Failure) -> None:
        """Print the failure above the bar."""
        self._rates.failed += 1
        self._display.message(failure_line(failure))

    def say(self, text: str) -> None:
        """Print it above the bar."""
        self._display.message(f"maest: {text}")


class EventReporter(SilentReporter):
    """Events for programs: a JSON object in each line; docs/guides/tag_a_folder.md has them.

    Parameters
    ----------
    lines : Lines, optional
        For each track that is done, too.
    every : float
        Seconds between events that tell how far the run is.
    """

    def __init__(
        self,
        lines: Lines | None = None,
        every: float = EVENT_EVERY_SECONDS,
    ) -> None:
        self._lines = lines
        self._every = every
        self._rates = Rates(0)
        self._last = 0.0

    def start(self, total: int, resumed: int = 0) -> None:
        """Tell how much there is to do."""
        self._rates = Rates(total)
        self._last = time.monotonic()
        tell_event("start", tracks=total, resumed=resumed)

    def track(self, told: TrackTold) -> None:
        """Tell what came of it."""
        self._rates.audio_seconds += told.seconds
        labels = [dict(label) for label in told.labels]
        tell_event(
            "track", path=path_text(told.path), seconds=round(told.seconds, 3), labels=labels
        )
        if self._lines is not None:
            self._lines.write(self._lines.of_track(told))

    def done(self) -> None:
        """Tell now and then how far it is."""
        self._rates.done += 1
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self._tell_progress()

    def failed(self, failure: Failure) -> None:
        """Tell it."""
        self._rates.failed += 1
        tell_event(
            "failure",
            path=path_text(failure.path),
            stage=failure.stage,
            reason=path_text(failure.reason),
            error=failure.error,
        )

    def end(self, report: RunReport, seconds: float) -> None:
        """Tell what became of all."""
        self._tell_progress()
        counts = report.as_json()
        tell_event(
            "end",
            wall_seconds=round(seconds, 3),
            **{name: counts[name] for name in ("audio_seconds", "stopped", "counts")},
        )

    def _tell_progress(self) -> None:
        rates = self._rates
        left = rates.seconds_left
        tell_event(
            "progress",
            done=rates.done,
            tracks=rates.total,
            failed=rates.failed,
            seconds=round(rates.seconds, 3),
            files_per_second=round(rates.files_per_second, 4),
            audio_minutes_per_second=round(rates.audio_minutes_per_second, 4),
            seconds_left=None if left is None else round(left, 1),
        )


def make_reporter(quiet: bool, lines: Lines | None = None, *, events: bool = False) -> Reporter:
    """Choose how to report.

    Parameters
    ----------
    quiet : bool
        Failures and warnings only.
    lines : Lines, optional
        For each track that is done.
    events : bool
        For programs.

    Returns
    -------
    Reporter
    """
    if events:
        return EventReporter(lines)
    if quiet:
        return SilentReporter()
    return DisplayReporter(ProgressDisplay("maest: analysing", unit="tracks"), lines)
