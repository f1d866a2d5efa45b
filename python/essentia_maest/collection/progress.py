"""Tell the person at the terminal, or the log file, how far a run is. All of it on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from ..progress import ProgressDisplay, tell
from .outcomes import Failure, failure_line


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

    def say(self, text: str) -> None:
        """Say something else that is worth a line."""


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

    def start(self, total: int) -> None:
        """Say nothing."""

    def done(self) -> None:
        """Say nothing."""

    def failed(self, failure: Failure) -> None:
        """Print the failure in one line."""
        tell(failure_line(failure))

    def say(self, text: str) -> None:
        """Print it."""
        tell(f"maest: {text}")


class DisplayReporter:
    """A bar on a terminal, a line now and then in a log file.

    Parameters
    ----------
    display : ProgressDisplay
        Where it is shown.
    """

    def __init__(self, display: ProgressDisplay) -> None:
        self._display = display

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

    def start(self, total: int) -> None:
        """Set the length of the bar."""
        self._display.start(total)

    def done(self) -> None:
        """Move the bar on."""
        self._display.advance()

    def failed(self, failure: Failure) -> None:
        """Print the failure above the bar."""
        self._display.message(failure_line(failure))

    def say(self, text: str) -> None:
        """Print it above the bar."""
        self._display.message(f"maest: {text}")


def make_reporter(quiet: bool) -> Reporter:
    """Choose how to report.

    Parameters
    ----------
    quiet : bool
        Failures and warnings only.

    Returns
    -------
    Reporter
    """
    if quiet:
        return SilentReporter()
    return DisplayReporter(ProgressDisplay("maest: analysing", unit="tracks"))
