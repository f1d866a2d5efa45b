"""Ending a run in order when it is asked to: Ctrl-C, or SIGTERM from a scheduler."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Within it, a first SIGINT or SIGTERM is noted only; a second ends the process as usual."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        # Only the main thread may set handlers; elsewhere there is nothing to note.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)


def ignore_signals(_worker: int = 0) -> None:
    """Let a reading process live until its trainer ends it, though a terminal signals to both."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
