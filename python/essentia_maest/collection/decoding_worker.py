"""What runs in a process that decodes: a file, whole or in parts, into shared memory."""

from __future__ import annotations

import dataclasses
import time
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ..errors import MaestError
from ..hearing import Readable, pieces
from ..log import kept
from ..results.audio_hash import audio_hash
from ..spread import Chosen
from .messages import (
    Job,
    Long,
    Over,
    Room,
    SetUp,
    StartOver,
    Written,
)
from .outcomes import Failure
from .shared_memory import map_memory, ring_parts
from .track_decoding import decode_into, peak_of
from .worker_main import Clock


def decode(set_up: SetUp, job: Job, connection: Connection, clock: Clock) -> Long | Over:
    """Decode a file, as far as it is wanted.

    Parameters
    ----------
    set_up : SetUp
        How.
    job : Job
        Which.
    connection : Connection
        Samples are told of there.
    clock : Clock
        Stands still while there is no room for samples.

    Returns
    -------
    Long or Over
        How it went.
    """
    started = time.process_time()
    facts, failure = None, None
    with kept(set_up.log_level) as log:
        try:
            source = set_up.open_audio(job.path)
            try:
                if job.longest is not None and (source.seconds or 0.0) >= job.longest:
                    return Long()
                outlet = _Outlet(connection, set_up, job.window, clock)
                facts = decode_into(outlet, source, job.spread, set_up.hearing)
                outlet.flush()
                if set_up.hashed:
                    facts = dataclasses.replace(facts, audio_hash=audio_hash(source.path))
            finally:
                source.close()
        except (BrokenPipeError, EOFError, ConnectionResetError):
            raise
        except MaestError as error:
            failure = Failure.of(job.path, "decode", error)
        except Exception as error:
            failure = Failure(job.path, "decode", f"{type(error).__name__}: {error}")
    return Over(facts, failure, time.process_time() - started, log)


class _Outlet:
    """Where the samples of one file go."""

    def __init__(self, connection: Connection, set_up: SetUp, window: int, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._piece = set_up.piece_samples
        self._most = set_up.window_samples
        self._ring = map_memory(set_up.windows[window]) if set_up.windows else None
        self._unsent: list[npt.NDArray[np.float32]] = []
        self._told = 0
        self._heard = 0
        self.written = 0
        self.peak = 0.0

    def hear(self, part: Readable) -> None:
        """Write samples to their end."""
        for piece in pieces(part.read):
            self.write(piece)

    def write(self, samples: npt.NDArray[np.float32]) -> None:
        """Take samples; wait while there is no room for them."""
        self.peak = max(self.peak, peak_of(samples))
        while len(samples):
            room = self._heard + self._most - self.written
            if room == 0:
                self._wait_for_room()
                continue
            now, samples = samples[:room], samples[room:]
            if self._ring is None:
                self._unsent.append(now)
            else:
                done = 0
                for part in ring_parts(self._ring, self.written, self.written + len(now)):
                    part[:] = now[done : done + len(part)]
                    done += len(part)
            self.written += len(now)
            if self.written - self._told >= self._piece:
                self.flush()

    def flush(self, *, waiting: bool = False) -> None:
        """Tell of all that was written."""
        if self.written > self._told or waiting:
            sent = np.concatenate(self._unsent) if self._unsent else None
            self._connection.send(Written(self.written, waiting, sent))
            self._unsent.clear()
            self._told = self.written

    def choose(self, chosen: Chosen) -> None:
        """Say what will come."""
        if chosen.starts is not None:
            self._connection.send(chosen)

    def start_over(self) -> None:
        """Say that what was written does not count, and wait until nobody reads it any more."""
        self._unsent.clear()
        self.written = self._told = 0
        self.peak = 0.0
        self._connection.send(StartOver())
        self._wait()

    def _wait_for_room(self) -> None:
        self.flush(waiting=True)
        self._wait()

    def _wait(self) -> None:
        self._clock.stop()
        room: Room = self._connection.recv()
        self._heard = room.samples
        self._clock.start()
