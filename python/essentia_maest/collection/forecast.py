"""What a collection will come to, told from some of its files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..remote.urls import is_url
from .opening import open_track
from .outcomes import Failure
from .scan import Track
from .track_rows import place_of
from .worker_pool import WorkerPool

_DRAWS = 400
_TAILS = (5.0, 95.0)
# With fewer, files of all kinds speak for one kind.
_ENOUGH = 3

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A sum over a collection, most of which was not looked at.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Where it lies in 9 of 10 draws of the files that were looked at.
    sampled : int
        How many these are.
    """

    value: float
    low: float
    high: float
    sampled: int

    @classmethod
    def of(cls, draws: Values, sampled: int) -> Estimate:
        """Make it of draws, the first of which is the files as they are."""
        low, high = np.percentile(draws, _TAILS)
        return cls(float(draws[0]), float(low), float(high), sampled)


class Collection:
    """Tracks, and how large their files are.

    Parameters
    ----------
    tracks : sequence of Track
        All of them.

    Attributes
    ----------
    sizes : numpy.ndarray
        Bytes, shape [tracks]; 0 for what cannot be read.
    kinds : list of str
        What their names end with: files of one kind have about as many bytes a second.
    """

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = tracks
        self.sizes = np.array([_size(track) for track in tracks], np.float64)
        self.kinds = [os.path.splitext(track.path)[1].lower() for track in tracks]

    def sample(self, count: int, seed: int = 0) -> list[int]:
        """Choose tracks at random, the same at every call.

        Parameters
        ----------
        count : int
            How many, at the most.
        seed : int
            Others choose others.

        Returns
        -------
        list of int
            Their numbers.
        """
        chosen = np.random.default_rng(seed).permutation(len(self.tracks))[:count]
        return [int(number) for number in chosen]

    def draws(self, values: Mapping[int, float]) -> Values:
        """Estimate the sum of something that grows with the size of a file.

        Parameters
        ----------
        values : mapping of int to float
            Number of a track -> what it is for that one.

        Returns
        -------
        numpy.ndarray, shape [draws]
            The sum, by a ratio to bytes for each kind of file: first of the tracks in `values`,
            then of draws of as many of them.
        """
        numbers = np.array(sorted(values), np.int64)
        known = np.array([values[int(number)] for number in numbers], np.float64)
        rest = np.ones(len(self.tracks), bool)
        rest[numbers] = False
        kinds = np.array(self.kinds)
        left = {kind: self.sizes[rest & (kinds == kind)].sum() for kind in dict.fromkeys(kinds)}
        generator = np.random.default_rng(0)
        sums = np.empty(_DRAWS)
        for draw in range(_DRAWS):
            places = np.arange(len(numbers))
            if draw:
                places = generator.integers(0, len(numbers), len(numbers))
            sizes, drawn = self.sizes[numbers[places]], known[places]
            drawn_kinds = kinds[numbers[places]]
            sums[draw] = known.sum()
            for kind, size in left.items():
                same = drawn_kinds == kind
                if same.sum() < _ENOUGH or not sizes[same].sum():
                    same = np.ones(len(places), bool)
                if size and sizes[same].sum():
                    sums[draw] += size * drawn[same].sum() / sizes[same].sum()
        return sums


def told_seconds(collection: Collection, numbers: Sequence[int], workers: int) -> dict[int, float]:
    """Read how long files say they are.

    Parameters
    ----------
    collection : Collection
        Of which.
    numbers : sequence of int
        Which of its tracks.
    workers : int
        Processes that open them: what crashes its decoder costs a process.

    Returns
    -------
    dict of int to float
        Number -> seconds; 0 for what cannot be opened. Files that do not say it are left out, and
        those behind URLs, which would have to be brought for it.
    """
    of_path = {
        collection.tracks[number].path: number
        for number in numbers
        if not is_url(collection.tracks[number].path)
    }
    found: dict[int, float] = {}
    if not of_path:
        return found
    with WorkerPool(min(workers, len(of_path)), promised_seconds) as pool:
        for done in pool.run(collection.tracks[number] for number in of_path.values()):
            if isinstance(done, Failure):
                found[of_path[done.path]] = 0.0
            elif done.result is not None:
                found[of_path[done.track.path]] = done.result
    return found


def promised_seconds(path: str) -> float | None:
    """Open a file, and give the seconds that it promises; None if it does not."""
    with open_track(path) as source:
        if source.seconds is None and source.container == "ogg":
            import soundfile

            # Its headers do not tell; its last page does.
            with contextlib.suppress(soundfile.SoundFileError):
                return float(soundfile.info(os.fspath(source.path)).duration)
        return source.seconds


def _size(track: Track) -> int:
    try:
        return int(place_of(track)["size"])
    except (OSError, InvalidArgumentError):
        return 0
