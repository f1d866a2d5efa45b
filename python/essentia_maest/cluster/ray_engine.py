"""Tracks analysed on a Ray cluster: an actor for each CPU, a few tracks with each at a time.

This process gives tracks out and concludes what comes back, so it alone writes results: whichever
machine goes away, a track's rows are written once, when its results have come.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from types import ModuleType
from typing import Any

from ..collection.analysing import Analysed
from ..collection.described import Describing
from ..collection.options import AnalysisOptions
from ..collection.outcomes import Failure
from ..collection.runner import Conclude, Ending
from ..collection.scan import Track
from ..errors import InvalidArgumentError, StoppedEarlyError, in_words
from ..log import LOGGER, tell_again
from ..model import Model
from ..origin import differences, provenance
from .ray_cluster import (
    cpus_of,
    joined,
    living_nodes,
    refuse_start,
    require_ray,
    start_worker,
    why_lost,
)
from .worker import Asked, Opened, Told

AT_ONCE = 2
"""Tracks that a worker has: what it does, and the next, so that it does not wait."""

MOST_DEATHS = 2
"""Workers that a track may end before it counts as failed,"""

MOST_LOSSES = 6
"""or that may be gone with it, with their machines or otherwise."""

_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
_MOST_FAILED_STARTS = 12

_log = logging.getLogger(__name__)

Result = tuple[Track, Ending | Failure]


@dataclasses.dataclass(eq=False)
class _Worker:
    """An actor.

    Attributes
    ----------
    actor
        Ray's handle.
    doing : dict
        Reference of a result that is to come -> when it was asked for, and its track.
    lost : list
        The same, of results that will not come, with why.
    ready, gone : bool
        Whether it has opened the model, and whether it does nothing more.
    node : str or None
        Its machine, once it is known.
    told : dict or None
        What computes there, where it is not what computes here.
    """

    actor: Any
    doing: dict[Any, tuple[int, Track]] = dataclasses.field(default_factory=dict)
    lost: list[tuple[int, Track, BaseException]] = dataclasses.field(default_factory=list)
    ready: bool = False
    gone: bool = False
    node: str | None = None
    told: dict[str, Any] | None = None


class RayEngine:
    """What analyses tracks on a cluster: an `Engine`.

    Parameters
    ----------
    model : Model
        Its file goes to every worker.
    options : AnalysisOptions
        What is asked of each track.
    conclude : callable
        What becomes of a track that was analysed; called in this process.
    describing : Describing or None
        What describes tracks where they are analysed.
    workers : int or None
        How many; None is one for each CPU of the cluster, also of machines that join it later.
    hashed : bool
        Whether audio is hashed.
    address : str or None
        Of the cluster: see `joined`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Ray is not installed; fewer than one worker is wanted.
    """

    _ray: ModuleType

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        conclude: Conclude,
        describing: Describing | None = None,
        *,
        workers: int | None = None,
        hashed: bool = True,
        address: str | None = None,
    ) -> None:
        require_ray()
        if workers is not None and workers < 1:
            raise InvalidArgumentError(f"workers is {workers}; 1 or more wanted")
        self._address = address
        self._model = model
        self._asked = Asked(options, hashed, describing, LOGGER.getEffectiveLevel())
        self._conclude = conclude
        self._count = workers
        self._own = provenance(model)
        self._waiting: deque[Track] = deque()
        self._workers: list[_Worker] = []
        self._of: dict[Any, _Worker] = {}
        self._sent: Any = None
        self._deaths: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._failed_starts = 0
        self._looked = self._nobody_since = float("-inf")
        self._others: list[dict[str, Any]] = []
        self._concluded: deque[Result] = deque()

    def run(self, tracks: Iterable[Track]) -> Generator[Result, None, None]:
        """Analyse tracks; see `Engine`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            There is no such cluster.
        essentia_maest.errors.StoppedEarlyError
            No worker can start; machines of the cluster have another version of this package.
        """
        self._waiting.extend(tracks)
        if not self._waiting:
            return
        with joined(self._address) as self._ray:
            self._nobody_since = time.monotonic()
            try:
                while self._waiting or any(worker.doing for worker in self._workers):
                    self._start_workers()
                    self._give()
                    for ref in self._come():
                        self._take(ref)
                        while self._concluded:
                            yield self._concluded.popleft()
            finally:
                for worker in self._workers:
                    self._end(worker)

    def leftovers(self) -> Iterator[Result]:
        """Give what was concluded, but not given."""
        while self._concluded:
            yield self._concluded.popleft()

    def _start_workers(self) -> None:
        """Have as many workers as are wanted now: some may be gone, and machines may have come."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS and not any(one.gone for one in self._workers):
            return
        self._looked = now
        self._workers = [worker for worker in self._workers if not worker.gone or worker.lost]
        there = [worker for worker in self._workers if not worker.gone]
        left = len(self._waiting) + sum(len(worker.doing) for worker in there)
        wanted = min(left, max(1, cpus_of(self._ray) if self._count is None else self._count))
        for _ in range(wanted - len(there)):
            self._start_worker()
        if any(worker.ready for worker in there):
            self._nobody_since = now
        elif now - self._nobody_since > _PATIENCE_SECONDS:
            self._nobody_since = now
            _log.warning("no CPU of the cluster is free: waiting")

    def _start_worker(self) -> None:
        if self._sent is None:
            self._sent = self._ray.put(self._model.path.read_bytes())
        worker = _Worker(start_worker(self._ray))
        self._workers.append(worker)
        ref = worker.actor.open.remote(self._sent, self._model.path.name, self._asked)
        self._of[ref] = worker

    def _give(self) -> None:
        """Give tracks to workers that have room for them, to each a first one first."""
        for held in range(AT_ONCE):
            for worker in self._workers:
                if not self._waiting:
                    return
                if worker.ready and not worker.gone and len(worker.doing) == held:
                    track = self._waiting.popleft()
                    ref = worker.actor.analyse.remote(track)
                    worker.doing[ref] = (next(self._numbers), track)
                    self._of[ref] = worker

    def _come(self) -> list[Any]:
        """Wait for results; possibly none have come."""
        refs = list(self._of)
        if not refs:
            time.sleep(0.1)
            return []
        first, _ = self._ray.wait(refs, num_returns=1, timeout=_LOOK_SECONDS)
        if not first:
            return []
        found: list[Any] = self._ray.wait(refs, num_returns=len(refs), timeout=0)[0]
        return found

    def _take(self, ref: Any) -> None:
        """Take a result, or note that it will not come."""
        worker = self._of.pop(ref)
        given = worker.doing.pop(ref, None)
        track = given[1] if given is not None else None
        errors = self._ray.exceptions
        try:
            told = self._ray.get(ref)
        except errors.RayTaskError as error:
            if track is None:  # it could not open the model, nor will others
                raise refuse_start(error.cause) from error
            self._concluded.append((track, Failure.of(track.path, "analyze", error.cause)))
            return
        except errors.ObjectLostError as error:  # it came, and went with a machine
            assert track is not None
            self._lose(track, error, killed=False)
            return
        except errors.RayError as error:
            self._lose_worker(worker, given, error)
            return
        if track is None:
            self._greet(worker, told)
        else:
            self._hear(worker, track, told)

    def _greet(self, worker: _Worker, opened: Opened) -> None:
        other = differences(opened.provenance, self._own)
        if "engine" in other:
            there, here = other["engine"]
            raise StoppedEarlyError(
                f"essentia-maest {there} found on a machine of the cluster; wanted: {here}, as here"
            )
        worker.ready = True
        worker.node = opened.node
        self._failed_starts = 0
        if other:
            worker.told = opened.provenance
            if opened.provenance not in self._others:
                self._others.append(opened.provenance)
                listed = ", ".join(
                    f"{what} {there}, here {here}" for what, (there, here) in other.items()
                )
                _log.warning(
                    "a machine of the cluster computes otherwise: %s; its results may differ by a "
                    "little, and their tables tell",
                    listed,
                )

    def _hear(self, worker: _Worker, track: Track, told: Told) -> None:
        tell_again(told.log)
        outcome = told.outcome
        if isinstance(outcome, Failure):
            self._concluded.append((track, outcome))
            return
        if isinstance(outcome, Analysed):
            outcome = dataclasses.replace(outcome, provenance=worker.told)
        else:
            outcome = outcome.computed_by(worker.told)
        self._concluded.append((track, self._conclude(outcome)))

    def _lose_worker(
        self, worker: _Worker, given: tuple[int, Track] | None, error: BaseException
    ) -> None:
        """Note that a worker is gone; when all that it had is accounted for, have it done again."""
        worker.gone = True
        if given is None:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise refuse_start(error) from error
            return
        worker.lost.append((*given, error))
        if worker.doing:
            return
        self._end(worker)
        # What a worker was given first it was doing; if its machine is gone, that was not why.
        killed = worker.node in living_nodes(self._ray)
        for _, track, why in sorted(worker.lost, key=lambda lost: lost[0]):
            self._lose(track, why, killed=killed)
            killed = False
        worker.lost.clear()

    def _lose(self, track: Track, error: BaseException, *, killed: bool) -> None:
        self._losses[track.path] += 1
        self._deaths[track.path] += killed
        deaths, losses = self._deaths[track.path], self._losses[track.path]
        if deaths >= MOST_DEATHS or losses >= MOST_LOSSES:
            # Not those that it lost while it waited behind another track.
            count = deaths if deaths >= MOST_DEATHS else losses
            reason = f"{count} workers were lost with it: {why_lost(error)}"
            self._concluded.append((track, Failure(track.path, "decode", reason)))
        elif killed:
            self._waiting.append(track)  # the others first
        else:
            self._waiting.appendleft(track)

    def _end(self, worker: _Worker) -> None:
        try:
            self._ray.kill(worker.actor)
        except Exception as error:
            _log.debug("a worker could not be ended: %s", in_words(error))
