"""How far long work is: a bar on a terminal, a line now and then in a log file. All on stderr.

What is told may be lost, when the log's disk is full or its reader has gone; the work goes on.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import rich.progress

LINE_EVERY_SECONDS = 30.0
_DRAW_EVERY_SECONDS = 0.1

_json_lines = False

Item = TypeVar("Item")


class ProgressDisplay:
    """Shows how far a piece of work is; a context manager round the work.

    Parameters
    ----------
    title : str
        What is being done, such as "analysing".
    total : int, optional
        How many there are to do; None while that is not known (`start` tells it).
    unit : str
        What is counted, for lines in a log file.
    silent : bool
        Show messages only.
    every : float
        Seconds between lines in a log file.
    forks : bool
        The work forks processes: the bar has no thread of its own then, which they would inherit
        half alive, and is drawn anew when something is told.
    transient : bool
        The bar goes away in the end.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        *,
        unit: str = "",
        silent: bool = False,
        every: float = LINE_EVERY_SECONDS,
        forks: bool = False,
        transient: bool = False,
    ) -> None:
        self._title = title
        self._unit = f" {unit}" if unit else ""
        self._silent = silent
        self._every = every
        self._done = 0
        self._total = total
        self._began = self._last = time.monotonic()
        self._draws = forks
        shown = not silent and not _json_lines and _is_terminal()
        self._bar = _bar(not forks, transient) if shown else None
        self._task = self._bar.add_task(title, total=total, note="") if self._bar else None

    def __enter__(self) -> ProgressDisplay:
        if self._bar is not None:
            with _lost_log():
                self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            with _lost_log():
                self._bar.stop()

    def start(self, total: int) -> None:
        """Tell how many there are to do, and begin to measure time.

        Parameters
        ----------
        total : int
            How many.
        """
        self._total = total
        self._began = self._last = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=total)
        elif not self._silent:
            tell(f"{self._title}: {total}{self._unit}")

    def advance(self, count: int = 1, note: str = "") -> None:
        """Tell that so many more are done.

        Parameters
        ----------
        count : int
            How many.
        note : str
            What else is to be shown, such as how fast it goes.
        """
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, note=note)
            if self._draws and time.monotonic() - self._last >= _DRAW_EVERY_SECONDS:
                self._last = time.monotonic()
                with _lost_log():
                    self._bar.refresh()
            return
        now = time.monotonic()
        if not self._silent and now - self._last >= self._every:
            self._last = now
            noted = f", {note}" if note else ""
            tell(f"{self._title}: {self._done}{self._of_total()}{noted}{self._time_left(now)}")

    @property
    def shares_stdout(self) -> bool:
        """Whether there is a bar, and what is printed on stdout would be written across it."""
        with _lost_log():
            return self._bar is not None and sys.stdout is not None and sys.stdout.isatty()
        return False

    def message(self, text: str) -> None:
        """Print a line, above the bar if there is one.

        Parameters
        ----------
        text : str
            Taken as it is; no markup.
        """
        if self._bar is None:
            tell(text)
            return
        with _lost_log():
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _of_total(self) -> str:
        return "" if self._total is None else f" of {self._total}{self._unit}"

    def _time_left(self, now: float) -> str:
        if not self._total or not 0 < self._done <= self._total:
            return ""
        seconds = (now - self._began) / self._done * (self._total - self._done)
        return f", about {seconds / 60:.0f} min left"


def tracked(items: Iterable[Item], title: str, total: int | None = None) -> Iterator[Item]:
    """Give the items of an iterable, and show how many were taken.

    Parameters
    ----------
    items : iterable
        What to give.
    title : str
        What is being done with them.
    total : int, optional
        How many there are, where `items` does not tell its length.

    Yields
    ------
    object
        The items.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with ProgressDisplay(title, total) as display:
        for item in items:
            yield item
            display.advance()


def tell(text: str) -> None:
    """Print a line on stderr; it is lost when nobody can read it any more.

    Parameters
    ----------
    text : str
        The line.
    """
    if _json_lines:
        tell_event("message", text=text.removeprefix("maest: "))
    else:
        _print(text)


def tell_event(event: str, **values: Any) -> None:
    """Print an event on stderr, a JSON object in one line; it is lost when nobody can read it.

    Parameters
    ----------
    event : str
        Its name.
    **values
        What `json.dumps` takes.
    """
    time_now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    _print(json.dumps({"event": event, "time": time_now, **values}))


@contextlib.contextmanager
def json_lines(wanted: bool = True) -> Iterator[None]:
    """Have all that is told on stderr be JSON meanwhile, an object in each line.

    Parameters
    ----------
    wanted : bool
        False changes nothing.
    """
    global _json_lines  # noqa: PLW0603 (stderr is one for the whole process, too)
    before, _json_lines = _json_lines, wanted or _json_lines
    try:
        yield
    finally:
        _json_lines = before


def _print(line: str) -> None:
    if sys.stderr is None:  # closed before Python began; print would take stdout instead
        return
    with _lost_log():
        print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _lost_log() -> Iterator[None]:
    # A full disk, a pipe without a reader; a stream that was closed raises ValueError.
    with contextlib.suppress(OSError, ValueError):
        yield


def _is_terminal() -> bool:
    with _lost_log():
        return sys.stderr is not None and sys.stderr.isatty()
    return False


def _bar(thread: bool, transient: bool) -> rich.progress.Progress:
    import rich.progress
    from rich.console import Console

    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=thread,
        transient=transient,
        redirect_stdout=False,  # what is printed there may go into a file or a pipe
    )
