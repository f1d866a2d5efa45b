"""What Ctrl-C and SIGTERM do, put off while the main thread is in the middle of something."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

_NUMBERS = (signal.SIGINT, signal.SIGTERM)

_Handler = Callable[[int, "FrameType | None"], object]


class Interrupts:
    """A context round a run; in other threads than the main one it does nothing.

    Handlers raise between any two steps of the main thread: what has to be done together, such as
    taking a result and counting it, is done within `put_off`.
    """

    def __init__(self) -> None:
        self._before: dict[int, _Handler] = {}
        self._late: tuple[int, FrameType | None] | None = None
        self._held = False

    def __enter__(self) -> Interrupts:
        """Stand before the handlers that there are."""
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, self._come)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put them back, unless others have come since."""
        for number, before in self._before.items():
            if signal.getsignal(number) == self._come:
                signal.signal(number, before)

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Hold back what comes meanwhile until the end; a second one comes through at once."""
        if not self._before or threading.current_thread() is not threading.main_thread():
            yield
            return
        self._held = True
        try:
            yield
        finally:
            self._held = False
            late, self._late = self._late, None
            if late is not None:
                self._before[late[0]](*late)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._held and self._late is None:
            self._late = (number, frame)
        else:
            self._before[number](number, frame)
