"""Decode files in worker processes, into memory that they share with this one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from types import TracebackType

from ..hearing import Hearing
from ..log import LOGGER, tell_again
from ..spread import Chosen, Spread
from .arriving import Arriving
from .decoding_worker import decode
from .messages import Job, OpenAudio, Over, Room, SetUp, StartOver, Written
from .outcomes import Failure
from .scan import Track
from .shared_memory import Samples, make_memory, map_memory
from .track_decoding import seconds_allowed
from .worker_processes import WorkerProcess
from .workers import Asked, Gone, Workers

PIECE_SAMPLES = 1 << 21
"""Samples that are told of at a time: 131 s. Most tracks are two such messages."""

WINDOW_SAMPLES = 3 * PIECE_SAMPLES
"""Samples of a track that are in memory at the most: 6.6 minutes, 25 MB."""


class DecodingPool:
    """Processes that decode, and the memory that they write samples into; use as a context.

    Parameters
    ----------
    workers : int
        How many processes.
    windows : int
        Tracks whose samples are in memory at a time, at least as many as `workers`.
    open_audio : callable
        Path of a file -> `AudioSource`. Runs in the workers, which are fresh processes: it has to
        be a function that they can import.
    limit : callable
        Path of a file -> seconds that decoding may take. A worker whose samples are not heard
        waits, and that time does not count.
    hashed : bool
        Whether the audio is hashed, too.
    hearing : Hearing, optional
        What need not be decoded; zeros come instead.
    """

    def __init__(
        self,
        workers: int,
        windows: int,
        open_audio: OpenAudio,
        limit: Callable[[str], float],
        *,
        hashed: bool = False,
        hearing: Hearing | None = None,
    ) -> None:
        self._windows = windows
        self._open_audio = open_audio
        self._limit = limit
        self._hashed = hashed
        self._hearing = hearing
        self._workers = Workers(workers, self._start)
        self._free = list(range(windows))
        self._set_up: SetUp | None = None
        self._at_work: dict[Asked, Arriving] = {}
        self._in_memory: set[Arriving] = set()
        self._rings: dict[int, Samples] = {}

    def __enter__(self) -> DecodingPool:
        """Return itself; processes start when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all processes, and let go of the memory."""
        self._workers.__exit__(kind, error, traceback)
        for arriving in self._in_memory:
            arriving.forget()
        self._rings.clear()
        for memory in self._set_up.windows if self._set_up is not None else ():
            os.close(memory)

    def wake(self) -> None:
        """Have `wait` return; may be called in any thread."""
        self._workers.wake()

    def start(self, wanted: int) -> None:
        """See `Workers.start`."""
        self._workers.start(wanted)

    @property
    def has_room(self) -> bool:
        """Whether there is a worker, and memory, for another track now."""
        return self._workers.idle > 0 and bool(self._free)

    def decode(
        self, track: Track, longest: float | None = None, spread: Spread | None = None
    ) -> Arriving:
        """Begin to decode a track; there has to be room.

        Parameters
        ----------
        track : Track
            Which.
        longest, spread
            See `Job`.

        Returns
        -------
        Arriving
            Changes while `wait` runs. Give it back to `release` in the end.
        """
        window = self._free.pop()
        memory = self._set_up.windows if self._set_up is not None else ()
        if memory and window not in self._rings:
            # Once: to map it for each track would take a millisecond, and Python's lock.
            self._rings[window] = map_memory(memory[window])
        arriving = Arriving(track, window, self._rings.get(window))
        self._in_memory.add(arriving)
        job = Job(track.path, window, longest, spread)
        self._at_work[self._workers.ask(job, seconds_allowed(track, self._limit))] = arriving
        return arriving

    def wait(self) -> list[Arriving]:
        """Wait for something to happen.

        Returns
        -------
        list of Arriving
            What has changed; possibly none.

        Raises
        ------
        StoppedEarlyError
            No worker process can start.
        """
        changed = []
        for asked, message in self._workers.wait():
            arriving = self._at_work[asked]
            if isinstance(message, Chosen):
                arriving.starts = message.starts
                continue
            if isinstance(message, Written):
                arriving.add(message)
                if message.waiting:
                    arriving.worker_waits = asked.worker.stop_clock()
            elif isinstance(message, StartOver):
                arriving.start_over = True
                arriving.worker_waits = asked.worker.stop_clock()
            else:
                del self._at_work[asked]
                if isinstance(message, Gone):
                    failure = Failure(arriving.track.path, "decode", message.reason)
                    arriving.over = Over(None, failure)
                else:
                    self._workers.done(asked)
                    arriving.over = message
                    if isinstance(message, Over):
                        tell_again(message.log)
            changed.append(arriving)
        return changed

    def heard(self, arriving: Arriving) -> None:
        """Tell the worker of a track that samples were heard, if it waits for that.

        Parameters
        ----------
        arriving : Arriving
            The track.
        """
        if arriving.worker_waits is None:
            return
        for asked, other in self._at_work.items():
            if other is arriving:
                asked.worker.resume_clock(arriving.worker_waits)
                asked.worker.send(Room(arriving.heard))
        arriving.worker_waits = None

    def release(self, arriving: Arriving) -> None:
        """Take back the memory of a track that is over.

        Parameters
        ----------
        arriving : Arriving
            The track; nobody looks at its samples any more.
        """
        arriving.forget()
        self._in_memory.remove(arriving)
        self._free.append(arriving.window)

    def _start(self) -> WorkerProcess:
        if self._set_up is None:
            self._set_up = SetUp(
                self._open_audio,
                _make_windows(self._windows, WINDOW_SAMPLES),
                WINDOW_SAMPLES,
                PIECE_SAMPLES,
                LOGGER.getEffectiveLevel(),
                self._hashed,
                self._hearing,
            )
        return WorkerProcess(partial(decode, self._set_up), self._set_up.windows)


def _make_windows(count: int, samples: int) -> tuple[int, ...]:
    """Make shared memory; none if there is not enough."""
    made: list[int] = []
    for _ in range(count):
        memory = make_memory(samples)
        if memory is None:
            for one in made:
                os.close(one)
            return ()
        made.append(memory)
    return tuple(made)
