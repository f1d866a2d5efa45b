"""Work on files in worker processes, so that one that crashes or hangs costs one file."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from pebble import ProcessExpired, ProcessPool

from ..errors import MaestError, StoppedEarlyError, in_words
from .outcomes import Failure
from .scan import Track
from .worker_processes import (
    exit_status,
    interrupts_held,
    stderr_away,
    time_limit,
    use_scratch,
)

Result = TypeVar("Result")

TASKS_PER_WORKER = 500
"""Files after which a worker is replaced, whatever the decoders may have leaked meanwhile."""

_STALL_SECONDS = 120.0


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
    is bounded by a few results however slow the taker is. A worker that dies costs the file that
    it holds; all of them are started anew then.
    """

    def __init__(
        self,
        workers: int,
        work: Callable[[str], Result],
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        self._workers = workers
        self._work = work
        self._limit = limit
        self._pool: ProcessPool | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> WorkerPool[Result]:
        """Return the pool; its processes start with the first track."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the worker processes, and remove what those that died left behind."""
        self._stop()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

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
        suspects: deque[Track] = deque()
        running: dict[Any, Track] = {}
        while waiting or suspects or running:
            # Once the whole pool broke, who broke it is found by taking its tracks one by one.
            ahead, source = (1, suspects) if suspects else (self._workers + 1, waiting)
            broken = False
            while source and len(running) < ahead and not broken:
                scheduled = self._schedule(source[0])
                if scheduled is None:
                    broken = True
                else:
                    running[scheduled] = source.popleft()
            if not broken:
                stall = _STALL_SECONDS + max(self._limit(track.path) for track in running.values())
                done = wait(running, timeout=stall, return_when=FIRST_COMPLETED).done
                broken = not done or any(_broke_the_pool(future) for future in done)
                for future in done:
                    if not _broke_the_pool(future):
                        yield self._outcome(running.pop(future), future)
                # The future holds the result: let go of it before waiting for more.
                done = set()
            if broken:
                self._stop()
                self._require_workers()
                if len(running) == 1 and source is suspects:
                    (culprit,) = running.values()
                    yield Failure(culprit.path, "decode", "the decoder's process died")
                else:
                    suspects.extend(running.values())
                running.clear()

    def _schedule(self, track: Track) -> Any:
        """Hand a track to the pool; None if the pool is broken."""
        try:
            return self._submit(_quietly, (self._work, track.path), timeout=self._limit(track.path))
        except (OSError, RuntimeError) as error:
            # A worker died while it waited: pebble tells so here.
            if "within the Pool" in str(error):
                return None
            reason = error.__cause__ or error
            raise StoppedEarlyError(
                f"the processes that decode cannot start: {in_words(reason)}"
            ) from error

    def _submit(self, work: Callable[..., Any], arguments: tuple[Any, ...], timeout: float) -> Any:
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="maest-", ignore_cleanup_errors=True)
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                max_tasks=TASKS_PER_WORKER,
                initializer=use_scratch,
                initargs=(self._scratch.name,),
                context=multiprocessing.get_context("spawn"),
            )
        with interrupts_held():
            return self._pool.schedule(work, args=arguments, timeout=timeout)

    def _require_workers(self) -> None:
        """Tell files that break workers from workers that cannot start, as no file would pass."""
        try:
            self._submit(os.getpid, (), timeout=_STALL_SECONDS).result(2 * _STALL_SECONDS)
        except Exception as error:
            self._stop()
            raise StoppedEarlyError(
                "the processes that decode cannot start (what they printed is above); a script "
                "must call this under `if __name__ == '__main__':`"
            ) from error

    def _outcome(self, track: Track, future: Any) -> Done[Result] | Failure:
        try:
            return Done(track, future.result())
        except ProcessExpired as error:
            reason = f"the decoder crashed ({exit_status(error.exitcode)})"
        except TimeoutError:
            reason = f"decoding took longer than {self._limit(track.path):.0f} s"
        except MaestError as error:
            return Failure.of(track.path, "decode", error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        return Failure(track.path, "decode", reason)

    def _stop(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _quietly(work: Callable[[str], Result], path: str) -> Result:
    with stderr_away():
        return work(path)


def _broke_the_pool(future: Any) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)
