"""Whole tracks in worker processes: each decodes and computes, so that only results come back.

This process then does next to nothing for a track, and nothing that holds Python's lock for long,
so that one run keeps many CPUs busy. Each process has the model, though: `whole_tracks_pay` tells
whether there is memory for that, and work enough.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Generic, TypeVar

from ..log import LOGGER, tell_again
from ..machine import memory_left
from ..model import Model
from ..remote.urls import is_url
from .analysing import Analysed
from .described import Described, Describing
from .messages import Long, OpenAudio
from .options import AnalysisOptions, Shares
from .outcomes import Failure
from .rows_memory import RowsMemory
from .scan import Track
from .track_decoding import seconds_allowed
from .whole_worker import ModelFile, NotOpened, Told, WholeWorker
from .worker_processes import WorkerProcess
from .workers import Asked, Gone, Workers

_log = logging.getLogger(__name__)

Result = TypeVar("Result")

TRACKS_PER_PROCESS = 8
"""Tracks for which a process is worth its start, and for which it matters little who ends last."""

PROCESS_BYTES = 200 << 20
"""What a process takes besides its model."""

# Weights are kept as the file has them, and packed for the kernels; while they are, there is more.
_BYTES_PER_MODEL_BYTE = 3.0
_SHARE_OF_MEMORY = 0.5


def whole_tracks_pay(tracks: Sequence[Track], model: Model, shares: Shares) -> bool:
    """Tell whether tracks are best analysed whole, in processes that have the model each.

    Parameters
    ----------
    tracks : sequence of Track
        All that there is to do.
    model : Model
        What analyses them.
    shares : Shares
        As many workers as threads: each is both then.

    Returns
    -------
    bool
        False where tracks are few, or behind URLs (what computes would wait for what is brought),
        where memory does not suffice, where ONNX Runtime is to write a profile, or where other
        numbers were asked for.
    """
    processes = shares.workers
    if processes != shares.threads or len(tracks) < TRACKS_PER_PROCESS * processes:
        return False
    if os.environ.get("ESSENTIA_MAEST_PROFILE"):  # of one model, which lives to its end
        return False
    if type(model) is not Model or any(is_url(track.path) for track in tracks):
        return False
    try:
        size = ModelFile.of(model).size
    except OSError:
        return False
    wanted = processes * (PROCESS_BYTES + _BYTES_PER_MODEL_BYTE * size)
    left = memory_left()
    return left is not None and wanted <= _SHARE_OF_MEMORY * left


class WholeTracks(Generic[Result]):
    """Many tracks, analysed in processes.

    Parameters
    ----------
    model : Model
        Its file is opened by each process.
    options : AnalysisOptions
        What is asked of each track.
    processes : int
        How many.
    conclude : callable
        `Analysed`, or `Described` -> what `run` gives for a track. All processes wait for it.
    open_audio, limit, hashed
        See `DecodingPool`. What a process computes does not count as time of decoding.
    describing : Describing, optional
        What describes tracks in the processes.
    memory : RowsMemory, optional
        Where they leave what they described.
    longest : float or None
        Tracks that say that they are at least so many seconds long are left.

    Attributes
    ----------
    left : list of Track
        What `run` did not do: long tracks, and all that there were when no process could open the
        model.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        processes: int,
        conclude: Callable[[Analysed | Described], Result],
        *,
        open_audio: OpenAudio,
        limit: Callable[[str], float],
        longest: float | None,
        hashed: bool,
        describing: Describing | None = None,
        memory: RowsMemory | None = None,
    ) -> None:
        self._processes = processes
        self._conclude = conclude
        self._limit = limit
        self._memory = memory
        descriptor = None if memory is None else memory.descriptor
        self._passed = () if descriptor is None else (descriptor,)
        self._worker = WholeWorker(
            ModelFile.of(model),
            options,
            open_audio,
            hashed=hashed,
            describing=describing,
            memory=descriptor,
            longest=longest,
            log_level=LOGGER.getEffectiveLevel(),
        )
        self._concluded: deque[tuple[Track, Result | Failure]] = deque()
        self.left: list[Track] = []

    def run(self, tracks: Iterable[Track]) -> Generator[tuple[Track, Result | Failure], None, None]:
        """Analyse tracks; closing the iterator ends all processes at once.

        Parameters
        ----------
        tracks : iterable of Track
            Which.

        Yields
        ------
        tuple
            Each track but those in `left`, and what `conclude` made of it, or why nothing came of
            it, in the order in which they get done.

        Raises
        ------
        StoppedEarlyError
            No process can start.
        """
        waiting = deque(tracks)
        running: dict[Asked, tuple[Track, int | None]] = {}
        deaths: set[int] = set()  # of tracks
        with Workers(
            self._processes, partial(WorkerProcess, self._worker, self._passed), watched=False
        ) as workers:
            while waiting or running:
                workers.start(len(waiting))
                while waiting and workers.idle:
                    track = waiting.popleft()
                    question = track, None if self._memory is None else self._memory.take()
                    asked = workers.ask(question, seconds_allowed(track, self._limit))
                    running[asked] = question
                for asked, message in workers.wait():
                    track, slot = running.pop(asked)
                    if self._memory is not None and _slot_of(message) is None:
                        self._memory.give_back(slot)
                    if isinstance(message, Gone):
                        # It may not have been the track that killed it.
                        if message.died and id(track) not in deaths:
                            deaths.add(id(track))
                            waiting.append(track)
                        else:
                            failure = Failure(track.path, "decode", message.reason)
                            self._concluded.append((track, failure))
                        continue
                    workers.done(asked)
                    if isinstance(message, NotOpened):
                        _log.debug("models stay in this process: %s", message.reason)
                        self.left += [track, *waiting]
                        waiting.clear()
                    else:
                        self._take(track, message)
                while self._concluded:
                    yield self._concluded.popleft()

    def leftovers(self) -> Iterator[tuple[Track, Result | Failure]]:
        """Give what was concluded, but not given, before the iterator was closed."""
        while self._concluded:
            yield self._concluded.popleft()

    def _take(self, track: Track, told: Told) -> None:
        tell_again(told.log)
        outcome = told.outcome
        if isinstance(outcome, Long):
            self.left.append(track)
        elif isinstance(outcome, Failure):
            self._concluded.append((track, outcome))
        else:
            self._concluded.append((track, self._conclude(outcome)))


def _slot_of(message: Gone | NotOpened | Told) -> int | None:
    """Tell which slot is in use now, with what a process told."""
    if isinstance(message, Told) and isinstance(message.outcome, Described):
        return message.outcome.slot
    return None
