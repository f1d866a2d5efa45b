"""A few worker processes, kept alive: whichever dies or hangs costs what it was doing."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ..errors import StoppedEarlyError, in_words
from .worker_main import Begun, Ready
from .worker_processes import WorkerProcess

TASKS_PER_WORKER = 500
"""Files after which a worker is replaced, whatever the decoders may have leaked meanwhile."""

_START_SECONDS = 120.0
# Starts that fail one after the other: what ends by itself ends again, what is killed may be lucky.
_MOST_FAILED_STARTS = 3
_MOST_KILLED_STARTS = 12
# How a worker ends whose own clock ran out.
_CLOCK = signal.SIGALRM.name


@dataclass(frozen=True)
class Gone:
    """What comes instead of a worker's last message.

    Attributes
    ----------
    reason : str
        Why there will be none.
    died : bool
        Whether the worker died by itself, or of what others did to it; otherwise it took too long.
    """

    reason: str
    died: bool = False


class Asked:
    """Something that a worker was asked to do.

    Parameters
    ----------
    question
        What its `Answer` is called with.
    limit : float
        Seconds that it may take.

    Attributes
    ----------
    worker : WorkerProcess
        Who does it.
    begun : bool
        Whether it has taken it, as far as that is told: until then, its death has other reasons.
    """

    worker: WorkerProcess

    def __init__(self, question: object, limit: float) -> None:
        self.question = question
        self.limit = limit
        self.begun = False


class Workers:
    """Worker processes; use as a context, in one thread.

    Parameters
    ----------
    count : int
        How many.
    start : callable
        Starts one.
    watched : bool
        Whether they tell that they have begun with something, and one that is too slow is ended
        from here. If not, its own clock ends it, and there is one message less for each question.

    Notes
    -----
    A worker that dies, or is too slow, is gone with what it was doing; another takes its place. One
    that dies while it waits costs nothing.
    """

    def __init__(
        self, count: int, start: Callable[[], WorkerProcess], *, watched: bool = True
    ) -> None:
        self._count = count
        self._start = start
        self._watched = watched
        self._selector = selectors.DefaultSelector()
        self._starting: dict[WorkerProcess, float] = {}
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, Asked] = {}
        self._again: list[Asked] = []
        self._failed_starts = 0
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def __enter__(self) -> Workers:
        """Return itself; processes start when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all processes."""
        for worker in (*self._idle, *self._starting, *self._busy):
            worker.end(kill=True)
        self._selector.close()
        for end in (self._woken, self._wake):
            os.close(end)

    def wake(self) -> None:
        """Have `wait` return; may be called in any thread."""
        with suppress(OSError):  # full: it will return anyway; closed: nobody waits any more
            os.write(self._wake, b"x")

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return len(self._idle)

    def start(self, wanted: int) -> None:
        """Start workers, as far as they are needed.

        Parameters
        ----------
        wanted : int
            What there is to do.

        Raises
        ------
        StoppedEarlyError
            None can start.
        """
        there = len(self._idle) + len(self._starting) + len(self._busy)
        free = len(self._idle) + len(self._starting)
        for _ in range(min(wanted - free, self._count - there)):
            try:
                worker = self._start()
            except OSError as error:
                if there:
                    return  # those that there are do the work
                raise _none(in_words(error)) from error
            there += 1
            self._starting[worker] = time.monotonic() + _START_SECONDS
            self._selector.register(worker.connection, selectors.EVENT_READ, worker)

    def ask(self, question: object, limit: float) -> Asked:
        """Give an idle worker something to do; there has to be one.

        Parameters
        ----------
        question
            What its `Answer` is called with.
        limit : float
            Seconds that it may take.

        Returns
        -------
        Asked
            What messages about it come with.
        """
        asked = Asked(question, limit)
        self._give(asked)
        return asked

    def done(self, asked: Asked) -> None:
        """Take note that a worker has given its last message about something.

        Parameters
        ----------
        asked : Asked
            About what.
        """
        worker = asked.worker
        del self._busy[worker]
        worker.stop_clock()
        if worker.tasks < TASKS_PER_WORKER:
            self._idle.append(worker)
        else:
            self._end(worker)

    def wait(self) -> list[tuple[Asked, Any]]:
        """Wait until something happens.

        Returns
        -------
        list of tuple
            What was asked, and a message about it: `Gone`, the last, where the worker has died or
            was too slow. Possibly none.

        Raises
        ------
        StoppedEarlyError
            No worker can start.
        """
        ends = [*self._starting.values()]
        if self._watched:
            ends += [worker.ends for worker in self._busy]
        seconds = min([3600.0, *(end - time.monotonic() for end in ends)])
        messages: list[tuple[Asked, Any]] = []
        for key, _ in self._selector.select(max(0.0, seconds)):
            if key.data is None:
                os.read(self._woken, 1 << 16)
            else:
                messages += self._take(key.data)
        messages += self._end_late()
        while self._again and self._idle:
            self._give(self._again.pop())
        self.start(len(self._again))
        return messages

    def _take(self, worker: WorkerProcess) -> list[tuple[Asked, Any]]:
        try:
            message = worker.receive()
        except EOFError:
            return self._bury(worker, self._end(worker))
        if isinstance(message, Ready):
            del self._starting[worker]
            self._failed_starts = 0
            self._idle.append(worker)
        elif isinstance(message, Begun):
            self._busy[worker].begun = True
        else:
            return [(self._busy[worker], message)]
        return []

    def _give(self, asked: Asked) -> None:
        worker = asked.worker = self._idle.pop()
        self._busy[worker] = asked
        asked.begun = not self._watched
        worker.ask(asked.question, asked.limit, watched=self._watched)

    def _end_late(self) -> list[tuple[Asked, Any]]:
        now = time.monotonic()
        for worker in [one for one, end in self._starting.items() if end <= now]:
            self._end(worker, kill=True)
            self._bury(worker, f"it took longer than {_START_SECONDS:.0f} s")
        if not self._watched:
            return []
        late = [(worker, asked) for worker, asked in self._busy.items() if worker.ends <= now]
        for worker, _ in late:
            self._end(worker, kill=True)
            del self._busy[worker]
        return [(asked, _too_late(asked)) for _, asked in late]

    def _end(self, worker: WorkerProcess, *, kill: bool = False) -> str:
        self._selector.unregister(worker.connection)
        return worker.end(kill=kill)

    def _bury(self, worker: WorkerProcess, how: str) -> list[tuple[Asked, Any]]:
        """Forget a worker that has ended; tell how, if it was doing something."""
        if worker in self._idle:
            self._idle.remove(worker)
        if self._starting.pop(worker, None) is not None:
            self._failed_starts += 1
            killed = how.startswith("SIG")
            if self._failed_starts >= (_MOST_KILLED_STARTS if killed else _MOST_FAILED_STARTS):
                raise _none(f"{how} (what they printed is above)")
        asked = self._busy.pop(worker, None)
        if asked is None:
            return []
        if not asked.begun:
            self._again.append(asked)
            return []
        if how == _CLOCK:
            return [(asked, _too_late(asked))]
        return [(asked, Gone(f"the decoder crashed ({how})", died=True))]


def _too_late(asked: Asked) -> Gone:
    return Gone(f"decoding took longer than {asked.limit:.0f} s")


def _none(reason: str) -> StoppedEarlyError:
    return StoppedEarlyError(f"the processes that decode cannot start: {reason}")
