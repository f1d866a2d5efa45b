"""Decode tracks in worker processes, analyse them in threads of this one, a few at a time.

A track goes from hand to hand: whenever samples of it have come, a thread takes it, hears them, and
lets it go. So no thread waits for a decoder, and a track that is decoded faster than it is analysed
waits in memory whose size is bounded.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from ..model import Model
from ..opened_model import Array
from .analysis import Analysis, GuardedAnalysis, TrackAnalysis
from .arriving import Arriving
from .decoding_pool import PIECE_SAMPLES, DecodingPool
from .messages import Facts, Long, OpenAudio
from .options import AnalysisOptions, Shares
from .outcomes import Failure, StageSeconds
from .scan import Track
from .side_by_side import SideBySide
from .worker_processes import time_limit

Result = TypeVar("Result")

LONG_SECONDS = 1200.0
"""Tracks that say that they are at least so long come last, and take all threads."""


@dataclasses.dataclass(frozen=True)
class Analysed:
    """A track, and all that is known of it.

    Attributes
    ----------
    track : Track
        Which.
    analysis : Analysis
        What the model says.
    facts : Facts
        What its decoder told.
    seconds : StageSeconds
        Where the time went.
    provenance : dict or None
        What computed and decoded it, where that is not what does so here.
    """

    track: Track
    analysis: Analysis
    facts: Facts
    seconds: StageSeconds
    provenance: dict[str, Any] | None = None


class _Work:
    """A track that is in work."""

    def __init__(self, arriving: Arriving, at_once: int) -> None:
        self.arriving = arriving
        self.at_once = at_once
        self.analysis: GuardedAnalysis | None = None
        self.busy = False


@dataclasses.dataclass(frozen=True)
class _Heard(Generic[Result]):
    """What a thread did: it heard samples up to some number, and perhaps concluded the track."""

    work: _Work
    samples: int
    outcome: Result | Failure | None


class Analysing(Generic[Result]):
    """Many tracks, decoded and analysed.

    Parameters
    ----------
    model : Model
        Shared by all tracks.
    options : AnalysisOptions
        What is asked of each.
    shares : Shares
        How much of the machine this may take.
    conclude : callable
        `Analysed` -> what `run` gives for a track. Called in the threads that analyse.
    open_audio, limit, hashed
        See `DecodingPool`.
    long_seconds : float
        See `LONG_SECONDS`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model cannot do what the options ask.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        shares: Shares,
        conclude: Callable[[Analysed], Result],
        *,
        open_audio: OpenAudio,
        limit: Callable[[str], float] = time_limit,
        long_seconds: float = LONG_SECONDS,
        hashed: bool = False,
    ) -> None:
        plan = model.plan(options.request)
        self._spread = options.spread(plan)
        self._hearing = model.hearing(plan, options.mp3_error)
        self._model = model
        self._options = options
        self._shares = shares
        self._conclude = conclude
        self._open_audio = open_audio
        self._limit = limit
        self._long_seconds = long_seconds
        self._hashed = hashed
        self._threads: SideBySide[_Heard[Result]] | None = None

    def run(self, tracks: Iterable[Track]) -> Generator[tuple[Track, Result | Failure], None, None]:
        """Analyse tracks.

        Closing the iterator ends all work, and all processes, as soon as a segment is computed.

        Parameters
        ----------
        tracks : iterable of Track
            Which.

        Yields
        ------
        tuple
            Each track, and what `conclude` made of it, or why nothing came of it, in the order in
            which they get done.

        Raises
        ------
        StoppedEarlyError
            No process, or no thread, can be started.
        """
        waiting = deque(tracks)
        later: deque[Track] = deque()
        longest: float | None = self._long_seconds if self._spread is None else None
        active: dict[Arriving, _Work] = {}
        workers = max(1, min(self._shares.workers, len(waiting)))
        threads = max(1, min(self._shares.threads, len(waiting)))
        with (
            DecodingPool(
                workers,
                workers + threads + 1,
                self._open_audio,
                self._limit,
                hashed=self._hashed,
                hearing=self._hearing,
            ) as pool,
            SideBySide[_Heard[Result]](threads, pool.wake) as self._threads,
        ):
            while waiting or later or active:
                if not waiting and not active:
                    waiting, later, longest = later, deque(), None
                pool.start(len(waiting))
                while waiting and pool.has_room:
                    left = len(waiting) + len(active)
                    at_once = self._shares.threads // min(self._shares.threads, left)
                    arriving = pool.decode(waiting.popleft(), longest, self._spread)
                    active[arriving] = _Work(arriving, at_once)
                changed = [active[arriving] for arriving in pool.wait()]
                for heard in self._threads.finished():
                    heard.work.busy = False
                    heard.work.arriving.heard = heard.samples
                    if heard.outcome is None:
                        pool.heard(heard.work.arriving)
                        changed.append(heard.work)
                    else:
                        pool.release(heard.work.arriving)
                        del active[heard.work.arriving]
                        yield heard.work.arriving.track, heard.outcome
                for work in changed:
                    over = work.arriving.over
                    if work.busy or work.arriving not in active:
                        continue
                    if isinstance(over, Long) or (over is not None and over.failure is not None):
                        pool.release(work.arriving)
                        del active[work.arriving]
                        if isinstance(over, Long):
                            later.append(work.arriving.track)
                        elif over.failure is not None:
                            yield work.arriving.track, over.failure
                    else:
                        self._go_on(work, pool, self._threads)

    def leftovers(self) -> Iterator[tuple[Track, Result | Failure]]:
        """Give what was concluded, but not given, before the iterator was closed."""
        if self._threads is not None:
            for heard in self._threads.leftovers():
                if heard.outcome is not None:
                    yield heard.work.arriving.track, heard.outcome

    def _go_on(self, work: _Work, pool: DecodingPool, threads: SideBySide[_Heard[Result]]) -> None:
        """Have a thread hear what has come of a track."""
        arriving = work.arriving
        if arriving.start_over:
            arriving.begin_again()
            work.analysis = None
            pool.heard(arriving)
            return
        if arriving.written == arriving.heard and arriving.over is None:
            pool.heard(arriving)
            return
        samples, parts = arriving.parts(2 * PIECE_SAMPLES * work.at_once)
        facts = None
        if arriving.over is not None and samples == arriving.written:
            facts = arriving.over.facts  # type: ignore[union-attr]
        work.busy = True
        threads.begin(partial(self._hear, work, samples, parts, facts, threads))

    def _hear(
        self,
        work: _Work,
        samples: int,
        parts: Sequence[Array],
        facts: Facts | None,
        threads: SideBySide[_Heard[Result]],
    ) -> _Heard[Result]:
        if work.analysis is None:
            work.analysis = GuardedAnalysis(
                partial(
                    TrackAnalysis, self._model, self._options, work.at_once, work.arriving.starts
                )
            )
        track = work.arriving.track
        try:
            with threads.ended_by(work.analysis.stop):
                for part in parts:
                    work.analysis.push(part)
                if facts is None or threads.stopping.is_set():
                    return _Heard(work, samples, None)
                analysis = work.analysis.finish()
        except Exception as error:
            if threads.stopping.is_set():
                return _Heard(work, samples, None)
            return _Heard(work, samples, Failure.of(track.path, "analyze", error))
        seconds = work.analysis.seconds
        seconds.decode = work.arriving.decode_seconds
        return _Heard(work, samples, self._conclude(Analysed(track, analysis, facts, seconds)))
