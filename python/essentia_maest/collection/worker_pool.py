"""Work on files in worker processes, so that one that crashes or hangs costs one file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Generic, TypeVar

from ..errors import MaestError
from .outcomes import Failure
from .scan import Track
from .worker_main import Clock
from .worker_processes import WorkerProcess, time_limit
from .workers import Asked, Gone, Workers

Result = TypeVar("Result")


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A track and what came of it.

    Attributes
    ----------
    track : Track
        Which one.
    result : object
        What the work on it returned.
    """

    track: Track
    result: Result


class WorkerPool(Generic[Result]):
    """Worker processes that do the same with many tracks, a few ahead of whoever takes the results.

    Parameters
    ----------
    workers : int
        How many processes.
    work : callable
        Path of a file -> result. Runs in the workers, which are fresh processes: it has to be a
        function that they can import. Its `MaestError`, and any other exception, is a `Failure` in
        decoding.
    limit : callable
        Path of a file -> seconds that it may take.

    Notes
    -----
    At most ``workers + 1`` tracks are being worked on or wait, done, to be taken, so that memory
    is bounded by a few results however slow the taker is.
    """

    def __init__(
        self,
        workers: int,
        work: Callable[[str], Result],
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        self._ahead = workers + 1
        self._limit = limit
        self._workers = Workers(workers, partial(WorkerProcess, partial(_work_on, work)))

    def __enter__(self) -> WorkerPool[Result]:
        """Return the pool; its processes start with the first track."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the worker processes."""
        self._workers.__exit__(kind, error, traceback)

    def run(self, tracks: Iterable[Track]) -> Iterator[Done[Result] | Failure]:
        """Work on tracks, giving each as soon as it is done.

        Parameters
        ----------
        tracks : iterable of Track
            What to work on.

        Yields
        ------
        Done or Failure
            One for each track, in the order in which they get done.

        Raises
        ------
        StoppedEarlyError
            No worker process can start.
        """
        waiting = deque(tracks)
        running: dict[Asked, Track] = {}
        done: deque[Done[Result] | Failure] = deque()
        while waiting or running or done:
            self._workers.start(len(waiting))
            while waiting and self._workers.idle and len(running) + len(done) < self._ahead:
                track = waiting.popleft()
                running[self._workers.ask(track, self._limit(track.path))] = track
            if done:
                yield done.popleft()
                continue
            for asked, message in self._workers.wait():
                track = running.pop(asked)
                if isinstance(message, Gone):
                    done.append(Failure(track.path, "decode", message.reason))
                else:
                    self._workers.done(asked)
                    done.append(message)


def _work_on(
    work: Callable[[str], Result], track: Track, connection: Connection, clock: Clock
) -> Done[Result] | Failure:
    try:
        return Done(track, work(track.path))
    except MaestError as error:
        return Failure.of(track.path, "decode", error)
    except Exception as error:
        return Failure(track.path, "decode", f"{type(error).__name__}: {error}")
