"""The run over all shards: decode in worker processes, write in the order of the table.

A shard of 1,024 tracks of 30 s is a file of 370 MB; the paper's 3.3 M tracks are 3,223 of them.
What is held in memory is the tracks table and, at most, one shard: tracks that were decoded
before the one whose turn it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.compute as pc

from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track
from essentia_maest.collection.worker_pool import WorkerPool
from essentia_maest.collection.worker_processes import time_limit
from essentia_maest.progress import ProgressDisplay

from ..errors import DataError
from .excerpt import UNDECODABLE
from .outcomes import Outcomes, Refusal, Spectrogram, read_outcomes, written_shard
from .tracks import Tracks

Excerpt = Callable[[str], Spectrogram | Refusal]


class Making:
    """The run over all shards.

    Parameters
    ----------
    tracks : Tracks
    folder : Path
        The data set.
    work : callable
        Path of an audio file -> `Spectrogram` or `Refusal`; runs in fresh processes, which have to
        be able to import it.
    workers : int
        How many.
    shard_tracks : int
        Tracks of the table per shard.
    limit : callable
        Path of an audio file -> seconds that it may take.
    """

    def __init__(
        self,
        tracks: Tracks,
        folder: Path,
        work: Excerpt,
        *,
        workers: int,
        shard_tracks: int,
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        self._tracks = tracks
        self._folder = folder
        self._shard_tracks = shard_tracks
        self._pool = WorkerPool(workers, work, limit)

    def run(self, *, retry_refused: bool = False) -> None:
        """Make the shards that are not there, one after the other.

        Parameters
        ----------
        retry_refused : bool
            Also those that lack a track; what they hold is kept.
        """
        with ProgressDisplay("spectrograms", len(self._tracks)) as progress, self._pool:
            for number, start, count in self._shards():
                outcomes = read_outcomes(self._folder, number, count)
                usable = 0 if outcomes is None else pc.sum(outcomes.usable).as_py()
                # A shard without any track may be that of a disk that was not there.
                if outcomes is None or usable == 0:
                    self._make(number, start, {}, progress)
                elif retry_refused and usable < count:
                    self._make(number, start, outcomes.spectrograms(self._folder, number), progress)
                else:
                    progress.advance(count)

    def outcomes(self) -> Iterator[Outcomes]:
        """Read what became of the tracks.

        Yields
        ------
        Outcomes
            Of every shard, in order.

        Raises
        ------
        DataError
            A shard that was made is gone.
        """
        for number, _, count in self._shards():
            outcomes = read_outcomes(self._folder, number, count)
            if outcomes is None:
                raise DataError(f"{self._folder}: shard {number} does not stay on the disk")
            yield outcomes

    def _shards(self) -> Iterator[tuple[int, int, int]]:
        """Give number, first row of the tracks table and tracks of each shard."""
        total = len(self._tracks)
        for number, start in enumerate(range(0, total, self._shard_tracks)):
            yield number, start, min(self._shard_tracks, total - start)

    def _make(
        self,
        number: int,
        start: int,
        early: dict[int, Spectrogram | Refusal],
        progress: ProgressDisplay,
    ) -> None:
        """Make a shard; `early` holds what is known already, by place in the shard's tracks."""
        rows = self._tracks.table.slice(start, self._shard_tracks)
        names = rows["id"].to_pylist()
        paths = {
            place: str(self._tracks.folder / path)
            for place, path in enumerate(rows["path"].to_pylist())
            if place not in early
        }
        progress.advance(len(early))
        # Workers finish in any order, but rows stand in the table's: early ones wait.
        written = 0
        with written_shard(self._folder, number) as shard:
            for place, outcome in self._outcomes(paths):
                early[place] = outcome
                progress.advance()
                while written in early:
                    shard.append(names[written], early.pop(written))
                    written += 1

    def _outcomes(self, paths: dict[int, str]) -> Iterator[tuple[int, Spectrogram | Refusal]]:
        places = defaultdict(list)
        for place, path in reversed(paths.items()):
            places[path].append(place)
        for outcome in self._pool.run(Track(path, "") for path in paths.values()):
            if isinstance(outcome, Failure):
                yield places[outcome.path].pop(), Refusal(UNDECODABLE, outcome.reason)
            else:
                yield places[outcome.track.path].pop(), outcome.result
