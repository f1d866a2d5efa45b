"""Decode files in worker processes, so that a decoder that crashes or hangs costs one file."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from pebble import ProcessExpired, ProcessPool

from ..decoding.audio import load_audio
from ..errors import MaestError
from .scan import Track

DecodeFunction = Callable[[str], npt.NDArray[np.float32]]

TASKS_PER_WORKER = 500
"""Files after which a worker is replaced, whatever the decoders may have leaked meanwhile."""

_STALL_SECONDS = 120.0


@dataclass(frozen=True)
class Decoded:
    """A track and its audio.

    Attributes
    ----------
    track : Track
        Which one.
    audio : numpy.ndarray
        float32, shape [samples], mono at 16 kHz.
    """

    track: Track
    audio: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Failure:
    """A track, or a folder, that came to nothing.

    Attributes
    ----------
    path : str
        Which one.
    stage : {"scan", "decode", "analyze", "write"}
        What was being done.
    reason : str
        Why it failed, in one line.
    """

    path: str
    stage: str
    reason: str


def time_limit(path: str) -> float:
    """Return the seconds that decoding a file may take before it counts as hung.

    Parameters
    ----------
    path : str
        The file; its size decides.

    Returns
    -------
    float
        Two minutes, and ten seconds more for every megabyte: some ten times what a slow and busy
        machine needs.
    """
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    return 120.0 + 10.0 * size / 1e6


class DecodePool:
    """Worker processes that decode tracks, a few ahead of whoever takes them.

    Parameters
    ----------
    workers : int
        How many processes.
    decode : callable
        Path of a file -> its samples. Runs in the workers, which are fresh processes: it has to be
        a function that they can import.
    limit : callable
        Path of a file -> seconds that it may take.

    Notes
    -----
    At most ``workers + 1`` tracks are being decoded or wait, decoded, to be taken, so that memory
    is bounded by a few tracks however slow the taker is.
    """

    def __init__(
        self,
        workers: int,
        decode: DecodeFunction = load_audio,
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        self._workers = workers
        self._decode = decode
        self._limit = limit
        self._pool: ProcessPool | None = None

    def __enter__(self) -> DecodePool:
        """Return the pool; its processes start with the first track."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the worker processes."""
        self._stop()

    def decode(self, tracks: Iterable[Track]) -> Iterator[Decoded | Failure]:
        """Decode tracks, giving each as soon as it is done.

        Parameters
        ----------
        tracks : iterable of Track
            What to decode.

        Yields
        ------
        Decoded or Failure
            One for each track, in the order in which they get done.

        Raises
        ------
        MaestError
            No worker process can start.
        """
        waiting = deque(tracks)
        suspects: deque[Track] = deque()
        running: dict[Any, Track] = {}
        while waiting or suspects or running:
            # Once the whole pool broke, who broke it is found by decoding its tracks one by one.
            ahead, source = (1, suspects) if suspects else (self._workers + 1, waiting)
            while source and len(running) < ahead:
                track = source.popleft()
                running[self._schedule(track)] = track
            stall = _STALL_SECONDS + max(self._limit(track.path) for track in running.values())
            done = wait(running, timeout=stall, return_when=FIRST_COMPLETED).done
            broken = not done or any(_broke_the_pool(future) for future in done)
            for future in done:
                if not _broke_the_pool(future):
                    yield self._outcome(running.pop(future), future)
            # The future holds the samples: let go of them before waiting for more.
            done = set()
            if broken:
                self._stop()
                self._require_workers()
                if len(running) == 1:
                    (culprit,) = running.values()
                    yield Failure(culprit.path, "decode", "the decoder's process died")
                else:
                    suspects.extend(running.values())
                running.clear()

    def _schedule(self, track: Track) -> Any:
        return self._submit(
            _decode_quietly, (self._decode, track.path), timeout=self._limit(track.path)
        )

    def _submit(self, work: Callable[..., Any], arguments: tuple[Any, ...], timeout: float) -> Any:
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                max_tasks=TASKS_PER_WORKER,
                context=multiprocessing.get_context("spawn"),
            )
        with interrupts_held():
            return self._pool.schedule(work, args=arguments, timeout=timeout)

    def _require_workers(self) -> None:
        """Tell files that break workers from workers that cannot start, as no file would pass."""
        future = self._submit(os.getpid, (), timeout=_STALL_SECONDS)
        try:
            future.result()
        except Exception as error:
            self._stop()
            raise MaestError(
                "the processes that decode cannot start (what they printed is above); a script "
                "must call this under `if __name__ == '__main__':`"
            ) from error

    def _outcome(self, track: Track, future: Any) -> Decoded | Failure:
        try:
            return Decoded(track, future.result())
        except ProcessExpired as error:
            reason = f"the decoder crashed ({exit_status(error.exitcode)})"
        except TimeoutError:
            reason = f"decoding took longer than {self._limit(track.path):.0f} s"
        except MaestError as error:
            reason = str(error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        return Failure(track.path, "decode", reason)

    def _stop(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.stop()  # type: ignore[no-untyped-call]
            pool.join()


def _decode_quietly(decode: DecodeFunction, path: str) -> npt.NDArray[np.float32]:
    with stderr_away():
        return decode(path)


def _broke_the_pool(future: Any) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def exit_status(code: int | None) -> str:
    """Name the signal that ended a process, or its exit status."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


@contextmanager
def stderr_away() -> Iterator[None]:
    """Send the process's stderr nowhere: libraries write there of each damaged frame, nameless."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back from the processes and threads that are started meanwhile.

    Ctrl-C goes to the whole process group; the workers are to be ended by us, not by tracebacks.
    """
    found = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, found)
