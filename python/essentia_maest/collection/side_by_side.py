"""Work done in threads, a few pieces at a time, whose results the caller takes in its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, TypeVar

from ..errors import StoppedEarlyError, in_words

Result = TypeVar("Result")

# What interrupts the caller, Ctrl-C for one, is not noticed while it waits without an end.
_PATIENCE_SECONDS = 0.2


class SideBySide(Generic[Result]):
    """A context in which work is done side by side.

    Leaving it waits for what is being done, and does not begin what is not.

    Parameters
    ----------
    at_once : int
        Pieces of work, at least 1.

    Attributes
    ----------
    stopping : threading.Event
        Set when the context is left: work that looks at it can end early.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._running: set[Future[Result]] = set()
        self._executor = ThreadPoolExecutor(at_once, thread_name_prefix="analysis")
        self.stopping = threading.Event()

    def __enter__(self) -> SideBySide[Result]:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, as soon as the work that is being done lets it."""
        self.stopping.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def begin(self, work: Callable[[], Result]) -> Iterator[Result]:
        """Begin a piece of work, as soon as another has ended if all places are taken.

        Parameters
        ----------
        work : callable
            Returns its result.

        Yields
        ------
        object
            Results that there are by now, in no order.

        Raises
        ------
        StoppedEarlyError
            No thread can be started.
        Exception
            What a piece of work raised.
        """
        yield from self._finished(fewer_than=self._at_once)
        try:
            self._running.add(self._executor.submit(work))
        except RuntimeError as error:
            raise StoppedEarlyError(in_words(error)) from error

    def rest(self) -> Iterator[Result]:
        """Wait for all that was begun.

        Yields
        ------
        object
            Results, in no order.

        Raises
        ------
        Exception
            What a piece of work raised.
        """
        yield from self._finished(fewer_than=1)

    def leftovers(self) -> Iterator[Result]:
        """Give what had ended by the time the context was left, errors left out.

        Yields
        ------
        object
            Results that were not given before, in no order.
        """
        for future in self._running:
            if future.done() and not future.cancelled() and future.exception() is None:
                yield future.result()
        self._running = set()

    def _finished(self, fewer_than: int) -> Iterator[Result]:
        while self._running:
            full = len(self._running) >= fewer_than
            done, _ = wait(self._running, _PATIENCE_SECONDS if full else 0, FIRST_COMPLETED)
            for future in done:
                self._running.remove(future)
                yield future.result()
            if not full:
                return
