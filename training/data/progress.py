"""How far a long command is: a bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time

import rich.progress
from rich.console import Console

_LINE_EVERY_SECONDS = 30.0


class Progress:
    """Show how far a command is, on stderr; a context manager.

    Parameters
    ----------
    title : str
        What is being made.
    total : int
        Of how many.
    """

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._bar: rich.progress.Progress | None = None
        if sys.stderr.isatty():
            self._bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}", markup=False),
                rich.progress.BarColumn(),
                rich.progress.MofNCompleteColumn(),
                rich.progress.TimeElapsedColumn(),
                rich.progress.TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(title, total=total)
        self._last = time.monotonic()

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int = 1) -> None:
        """Say that so many more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.advance(self._task, count)
        elif time.monotonic() - self._last >= _LINE_EVERY_SECONDS:
            self._last = time.monotonic()
            print(f"{self._title}: {self._done} of {self._total}", file=sys.stderr, flush=True)
