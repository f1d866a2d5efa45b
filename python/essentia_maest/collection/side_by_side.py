"""Work done in threads, a few pieces at a time, whose results the caller takes in its own."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from ..errors import StoppedEarlyError, in_words

Result = TypeVar("Result")


class SideBySide(Generic[Result]):
    """A context in which work is done side by side.

    Leaving it waits for what is being done, and does not begin what is not.

    Parameters
    ----------
    at_once : int
        Pieces of work, at least 1.
    wake : callable
        Called, in any thread, whenever a piece of work has ended.

    Attributes
    ----------
    stopping : threading.Event
        Set when the context is left: work that looks at it can end early.
    """

    def __init__(self, at_once: int, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._ended: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
        self._executor = ThreadPoolExecutor(at_once, thread_name_prefix="analysis")
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []

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
        with self._lock:
            self.stopping.set()
            ends = list(self._ends)
        for end in ends:
            end()
        self._executor.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Within a piece of work: what ends it from another thread.

        Parameters
        ----------
        end : callable
            Called if the `SideBySide` is left before this context is.
        """
        with self._lock:
            self._ends.append(end)
            late = self.stopping.is_set()
        try:
            if late:
                end()
            yield
        finally:
            with self._lock:
                self._ends.remove(end)

    def begin(self, work: Callable[[], Result]) -> None:
        """Have a piece of work done, as soon as there is a thread for it.

        Parameters
        ----------
        work : callable
            Returns its result.

        Raises
        ------
        StoppedEarlyError
            No thread can be started.
        """
        try:
            future = self._executor.submit(work)
        except RuntimeError as error:
            raise StoppedEarlyError(in_words(error)) from error
        future.add_done_callback(self._note)

    def finished(self) -> Iterator[Result]:
        """Give what has ended by now.

        Yields
        ------
        object
            Results that were not given before, in the order in which they came.

        Raises
        ------
        Exception
            What a piece of work raised.
        """
        while True:
            try:
                future = self._ended.get_nowait()
            except queue.Empty:
                return
            if not future.cancelled():
                yield future.result()

    def leftovers(self) -> Iterator[Result]:
        """Give what had ended by the time the context was left, errors left out.

        Yields
        ------
        object
            Results that were not given before.
        """
        while not self._ended.empty():
            future = self._ended.get()
            if not future.cancelled() and future.exception() is None:
                yield future.result()

    def _note(self, future: Future[Result]) -> None:
        self._ended.put(future)
        self._wake()
