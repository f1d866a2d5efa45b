"""What runs in a process that decodes: a file, whole or in parts, into shared memory."""

from __future__ import annotations

import dataclasses
import time
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ..errors import MaestError
from ..hearing import Hearing, pieces
from ..log import kept
from ..results.audio_hash import audio_hash
from ..spread import Chosen, Spread, wanted_parts
from .flags import SILENT_BELOW
from .messages import (
    AudioSource,
    Facts,
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
                facts = _decode(source, job.spread, set_up.hearing, outlet)
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


def _decode(
    source: AudioSource, spread: Spread | None, hearing: Hearing | None, outlet: _Outlet
) -> Facts:
    chosen = None
    for part in wanted_parts(source, spread, hearing):
        if isinstance(part, Chosen):
            if chosen is not None:
                outlet.start_over()
            chosen = part
            outlet.choose(chosen)
        else:
            outlet.write(part)
    assert chosen is not None  # it comes first
    outlet.flush()
    peak = outlet.peak
    if peak < SILENT_BELOW and (chosen.starts is not None or hearing is not None):
        peak = max(peak, _peak_of_all(source))
    return Facts(
        source.decoder,
        source.container,
        source.codec,
        outlet.written if chosen.samples is None else chosen.samples,
        chosen.starts,
        peak,
        source.ending or "unknown",
        source.seconds,
        source.damage or None,
    )


def _peak_of_all(source: AudioSource) -> float:
    """Look at everything: what was left out of a track that seems silent may be loud."""
    source.seek(0.0)
    return max(map(_peak, pieces(source.read)), default=0.0)


def _peak(samples: npt.NDArray[np.float32]) -> float:
    return max(float(samples.max()), -float(samples.min()))


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

    def write(self, samples: npt.NDArray[np.float32]) -> None:
        """Take samples; wait while there is no room for them."""
        if len(samples):
            self.peak = max(self.peak, _peak(samples))
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
