"""Decode long tracks piece by piece, each in a process of its own, in memory that is bounded.

A decoder waits when its pieces are not taken; the time that it waits does not count as its own.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ..decoding.pieces import write_pieces
from ..front_end import SAMPLE_RATE
from ..log import LOGGER, tell_again
from .outcomes import Failure
from .piece_writer import Message, Over, PieceFunction, run
from .scan import Track
from .worker_processes import exit_status, interrupts_held, time_limit

_EXIT_SECONDS = 10.0


@dataclass(frozen=True)
class Piece:
    """The next samples of a track.

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
class StartedOver:
    """The pieces of a track so far do not count: another decoder begins anew."""

    track: Track


@dataclass(frozen=True)
class Ended:
    """A track's last piece was given.

    Attributes
    ----------
    track : Track
        Which one.
    seconds : float
        CPU time that decoding took.
    """

    track: Track
    seconds: float = 0.0


Event = Piece | StartedOver | Ended | Failure


class LongTracks:
    """Decode several long tracks at a time; use as a context.

    Parameters
    ----------
    at_once : int
        How many.
    piece_seconds : float
        Length of a piece. Three a track are in memory: one that fills, one that waits, and the one
        that was given last.
    decode : callable
        Path of a file and `Outlet` -> None; runs in fresh processes, which have to be able to
        import it.
    limit : callable
        Path of a file -> seconds that decoding may take.
    """

    def __init__(
        self,
        at_once: int,
        piece_seconds: float,
        decode: PieceFunction = write_pieces,
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        self._at_once = at_once
        self._piece_samples = max(1, round(piece_seconds * SAMPLE_RATE))
        self._decode = decode
        self._limit = limit
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._running: dict[str, _Decoder] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="maest-")

    def __enter__(self) -> LongTracks:
        """Return itself; processes start with the first track."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all processes."""
        for decoder in self._running.values():
            decoder.stop()
        self._running.clear()
        self._folder.cleanup()

    def decode(self, tracks: Iterable[Track]) -> Iterator[Event]:
        """Decode tracks, giving pieces as they come, of several tracks in turn.

        Parameters
        ----------
        tracks : iterable of Track
            What to decode; no path twice.

        Yields
        ------
        Piece, StartedOver, Ended or Failure
            For each track its pieces in order, then `Ended` or `Failure`, after which the pieces
            do not count.
        """
        waiting = deque(tracks)
        while waiting or self._running:
            while waiting and len(self._running) < self._at_once:
                self._start(waiting.popleft())
            event = self._events.get()
            if isinstance(event, Failure):
                self._running.pop(event.path).join()
            elif isinstance(event, Ended):
                self._running.pop(event.track.path).join()
            else:
                self._running[event.track.path].taken()
            yield event
            del event  # its samples, before the next are waited for

    def _start(self, track: Track) -> None:
        self._running[track.path] = _Decoder(
            track,
            partial(
                run,
                self._decode,
                track.path,
                self._folder.name,
                log_level=LOGGER.getEffectiveLevel(),
            ),
            self._piece_samples,
            self._limit(track.path),
            self._events.put,
        )


class _Decoder:
    """A process that decodes a track, and the thread that takes what it gives."""

    def __init__(
        self,
        track: Track,
        work: Callable[[Connection, Connection], None],
        piece_samples: int,
        limit: float,
        put: Callable[[Event], None],
    ) -> None:
        self._track = track
        self._piece_samples = piece_samples
        self._limit = self._left = limit
        self._put = put
        self._room = threading.Semaphore(1)  # for an event that is not taken yet
        self._stopped = False
        context = multiprocessing.get_context("spawn")
        self._samples, samples = context.Pipe(duplex=False)
        self._messages, messages = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(samples, messages), daemon=True)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        with interrupts_held():
            self._process.start()
            # The process alone holds these ends now: when it ends, so do the pipes.
            samples.close()
            messages.close()
            self._thread.start()

    def taken(self) -> None:
        """Make room for the next event."""
        self._room.release()

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._stopped = True
        self._process.kill()
        self._room.release()
        self.join()

    def join(self) -> None:
        """Wait for the thread, which ends last."""
        self._thread.join()

    def _follow(self) -> None:
        seconds = 0.0
        try:
            over = self._take_all()
            reason, seconds = over.reason, over.seconds
            tell_again(over.log)
            self._process.join(_EXIT_SECONDS)
        except EOFError:
            self._process.join(_EXIT_SECONDS)
            reason = f"the decoder crashed ({exit_status(self._process.exitcode)})"
        except _HungError:
            reason = f"decoding took longer than {self._limit:.0f} s"
        except _StoppedError:
            reason = "stopped"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        self._process.kill()
        self._process.join()
        self._samples.close()
        self._messages.close()
        self._put(
            Ended(self._track, seconds)
            if reason is None
            else Failure(self._track.path, "decode", reason)
        )

    def _take_all(self) -> Over:
        """Take all that the process gives; return how it went."""
        given = False
        while (piece := self._filled_piece()).size:
            self._give(Piece(self._track, piece))
            given = True
        message = self._message()
        if given and isinstance(message, np.ndarray):
            self._give(StartedOver(self._track))
        while isinstance(message, np.ndarray):
            parts, samples = [], 0
            while isinstance(message, np.ndarray) and samples < self._piece_samples:
                parts.append(message)
                samples += len(message)
                message = self._message()
            self._give(Piece(self._track, np.concatenate(parts)))
        return message

    def _filled_piece(self) -> npt.NDArray[np.float32]:
        """Read bare samples: a whole piece, or what is left of them."""
        piece = np.empty(self._piece_samples, dtype=np.float32)
        room = memoryview(piece.view(np.uint8))  # type: ignore[arg-type]
        filled = 0
        while filled < len(room):
            self._wait_for(self._samples)
            count = os.readv(self._samples.fileno(), [room[filled:]])
            if count == 0:
                break
            filled += count
        return piece[: filled // piece.itemsize]

    def _message(self) -> Message:
        self._wait_for(self._messages)
        message: Message = self._messages.recv()
        return message

    def _wait_for(self, connection: Connection) -> None:
        started = time.monotonic()
        ready = wait([connection], max(self._left, 0.0))
        self._left -= time.monotonic() - started
        if not ready:
            raise _HungError

    def _give(self, event: Event) -> None:
        self._room.acquire()
        if self._stopped:
            raise _StoppedError
        self._put(event)


class _HungError(Exception):
    """Nothing came for too long."""


class _StoppedError(Exception):
    """Nobody wants the samples any more."""
