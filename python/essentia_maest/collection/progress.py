"""Tell the person at the terminal, or the log file, how far a run is. All of it on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..decoding.audio import printable_path
from .decode import Failure

_LINE_EVERY_SECONDS = 30.0


class Reporter(Protocol):
    """What a run tells as it goes; a context manager round the run."""

    def __enter__(self) -> Reporter: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def start(self, total: int) -> None:
        """Say that `total` tracks are to be analysed."""

    def done(self) -> None:
        """Say that a track is done, well or badly."""

    def failed(self, failure: Failure) -> None:
        """Say what failed, and why."""


class SilentReporter:
    """Failures only."""

    def __enter__(self) -> SilentReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: nothing is open."""

    def start(self, total: int) -> None:
        """Say nothing."""

    def done(self) -> None:
        """Say nothing."""

    def failed(self, failure: Failure) -> None:
        """Print the failure in one line."""
        print(failure_line(failure), file=sys.stderr, flush=True)


class LineReporter(SilentReporter):
    """A line now and then, for log files.

    Parameters
    ----------
    every : float
        Seconds between lines.
    """

    def __init__(self, every: float = _LINE_EVERY_SECONDS) -> None:
        self._every = every
        self._total = 0
        self._count = 0
        self._started = self._last = time.monotonic()

    def start(self, total: int) -> None:
        """Print the number of tracks."""
        self._total = total
        self._started = self._last = time.monotonic()
        print(f"maest: {total} tracks to analyse", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Print the count, if it is time."""
        self._count += 1
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            minutes = (now - self._started) / self._count * (self._total - self._count) / 60
            print(
                f"maest: {self._count} of {self._total} tracks, about {minutes:.0f} min left",
                file=sys.stderr,
                flush=True,
            )


class BarReporter:
    """A progress bar, for terminals."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("analysing", total=None)

    def __enter__(self) -> BarReporter:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it stands."""
        self._progress.stop()

    def start(self, total: int) -> None:
        """Set the length of the bar."""
        self._progress.update(self._task, total=total)

    def done(self) -> None:
        """Move the bar on."""
        self._progress.advance(self._task)

    def failed(self, failure: Failure) -> None:
        """Print the failure above the bar."""
        self._progress.console.print(
            failure_line(failure), markup=False, highlight=False, soft_wrap=True
        )


def make_reporter(quiet: bool) -> Reporter:
    """Choose how to report.

    Parameters
    ----------
    quiet : bool
        Failures only.

    Returns
    -------
    Reporter
        A bar if stderr is a terminal, else lines.
    """
    if quiet:
        return SilentReporter()
    return BarReporter() if sys.stderr.isatty() else LineReporter()


def failure_line(failure: Failure) -> str:
    """Put a failure in one printable line.

    Parameters
    ----------
    failure : Failure
        What failed.

    Returns
    -------
    str
        Path and reason, without naming the path twice.
    """
    path = printable_path(failure.path)
    reason = printable_path(failure.reason)
    return f"failed: {reason}" if reason.startswith(path) else f"failed: {path}: {reason}"
