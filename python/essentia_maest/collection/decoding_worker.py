"""What runs in a process that decodes: a file, whole or in parts, into shared memory."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ..errors import MaestError
from ..front_end import SAMPLE_RATE
from ..log import kept
from .messages import (
    AudioSource,
    Chosen,
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
from .spread import Spread
from .worker_main import Clock

_READ_SAMPLES = 1 << 16


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
                facts = _decode(source, job.spread, _Outlet(connection, set_up, job.window, clock))
            finally:
                source.close()
        except (BrokenPipeError, EOFError, ConnectionResetError):
            raise
        except MaestError as error:
            failure = Failure.of(job.path, "decode", error)
        except Exception as error:
            failure = Failure(job.path, "decode", f"{type(error).__name__}: {error}")
    return Over(facts, failure, time.process_time() - started, log)


def _decode(source: AudioSource, spread: Spread | None, outlet: _Outlet) -> Facts:
    starts, samples = None, None
    if spread is not None:
        samples = _length(source)
        starts = spread.starts(samples)
        outlet.choose(starts)
        if starts is not None and not _write_parts(source, spread, starts, outlet):
            # Fewer samples than promised: what there is has to be counted, and chosen from anew.
            source.seek(0.0)
            samples = _count(source)
            starts = spread.starts(samples)
            outlet.start_over()
            outlet.choose(starts)
            if starts is not None:
                _write_parts(source, spread, starts, outlet)
    if starts is None:
        if spread is not None:
            source.seek(0.0)
        for piece in _pieces(source):
            outlet.write(piece)
        samples = outlet.written
    outlet.flush()
    return Facts(
        source.decoder,
        source.container,
        source.codec,
        samples or 0,
        starts,
        outlet.peak,
        source.ending or "unknown",
        source.seconds,
        source.damage or None,
    )


def _length(source: AudioSource) -> int:
    """Tell how long a file is, by counting its samples if it does not say."""
    if source.seconds is not None:
        return math.floor(source.seconds * SAMPLE_RATE)
    samples = _count(source)
    source.seek(0.0)
    return samples


def _count(source: AudioSource) -> int:
    return sum(len(piece) for piece in _pieces(source))


def _pieces(source: AudioSource) -> Iterator[npt.NDArray[np.float32]]:
    while len(piece := source.read(_READ_SAMPLES)):
        yield piece


def _write_parts(
    source: AudioSource, spread: Spread, starts: tuple[int, ...], outlet: _Outlet
) -> bool:
    """Write the sections of some segments; False as soon as the file ends before one does."""
    for start in starts:
        section = spread.section(start)
        source.seek(section.begin / SAMPLE_RATE)
        left = section.end - section.begin
        while left:
            piece = source.read(min(left, _READ_SAMPLES))
            if not len(piece):
                return False
            outlet.write(piece)
            left -= len(piece)
    return True


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
            self.peak = max(self.peak, float(samples.max()), -float(samples.min()))
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

    def choose(self, starts: tuple[int, ...] | None) -> None:
        """Say which segments will come."""
        self._connection.send(Chosen(starts))

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
