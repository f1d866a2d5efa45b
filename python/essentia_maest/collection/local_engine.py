"""What analyses tracks on this machine: whole in processes, or decoded there and computed here."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

from ..model import Model
from .analysing import LONG_SECONDS, Analysed, Analysing
from .described import Described, Describing
from .messages import OpenAudio
from .options import AnalysisOptions, Shares
from .outcomes import Failure
from .rows_memory import RowsMemory
from .scan import Track
from .whole_tracks import WholeTracks, whole_tracks_pay
from .worker_processes import time_limit

Result = TypeVar("Result")


class LocalEngine(Generic[Result]):
    """Many tracks, decoded and analysed: an `Engine`.

    Results are the same to the bit, whichever way they are computed: whole tracks in processes
    where that pays (`whole_tracks_pay`) and `conclude` is quick; long tracks, and all others,
    decoded in processes and computed in threads of this one.

    Parameters
    ----------
    model, options, shares, conclude, open_audio, limit, long_seconds, hashed
        See `Analysing`.
    quick : bool
        Whether `conclude` takes next to no time; otherwise it is called in many threads.
    describing : Describing, optional
        What describes tracks where all of a track is done in a process.
    memory : RowsMemory, optional
        Where it is left there.

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
        conclude: Callable[[Analysed | Described], Result],
        *,
        open_audio: OpenAudio,
        limit: Callable[[str], float] = time_limit,
        long_seconds: float = LONG_SECONDS,
        hashed: bool = False,
        quick: bool = False,
        describing: Describing | None = None,
        memory: RowsMemory | None = None,
    ) -> None:
        self._model = model
        self._shares = shares
        shared: dict[str, Any] = {"open_audio": open_audio, "limit": limit, "hashed": hashed}
        self._here = Analysing(
            model, options, shares, conclude, long_seconds=long_seconds, **shared
        )
        longest = None if options.segments is not None else long_seconds
        self._make_whole: Callable[[], WholeTracks[Result]] | None = None
        if quick:
            self._make_whole = partial(
                WholeTracks,
                model,
                options,
                shares.workers,
                conclude,
                longest=longest,
                describing=describing,
                memory=memory,
                **shared,
            )
        self._whole: WholeTracks[Result] | None = None

    def run(self, tracks: Iterable[Track]) -> Generator[tuple[Track, Result | Failure], None, None]:
        """Analyse tracks; see `Analysing.run`."""
        waiting = list(tracks)
        if self._make_whole is not None and whole_tracks_pay(waiting, self._model, self._shares):
            self._whole = self._make_whole()
            with contextlib.closing(self._whole.run(waiting)) as outcomes:
                yield from outcomes
            waiting = self._whole.left
        with contextlib.closing(self._here.run(waiting)) as outcomes:
            yield from outcomes

    def leftovers(self) -> Iterator[tuple[Track, Result | Failure]]:
        """Give what was concluded, but not given, before the iterator was closed."""
        if self._whole is not None:
            yield from self._whole.leftovers()
        yield from self._here.leftovers()
