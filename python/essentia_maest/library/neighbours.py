"""Which tracks are nearest to which: exact, by the cosine of the angle between their embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

#: Scores that are in memory at a time: 64 MB.
_MOST_SCORES = 1 << 24
#: Values whose squares are summed up at a time: 1 MB, which caches like.
_MOST_SQUARES = 1 << 18
#: Lengths between these are exact enough when squares are summed up in float32.
_SHORT, _LONG = 1e-12, 1e12
#: Products in float32 are nearer to the exact ones than this; what may be among the nearest by it
#: is computed again in float64.
_MARGIN = 1e-4
#: Of scores by which the nearest are put in order: how float64 is summed up bears on later ones.
_DIGITS = 12


class Neighbours:
    """Vectors that are searched.

    Every search looks at all of them; nothing is approximated. Products are computed in float32,
    and those of the nearest again in float64, so that the order does not depend on threads.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32 or float16, shape [tracks, values]. float32 is not copied; float16 is widened, once:
        to do so in every search takes five times as long as the search (docs/performance.md). Rows
        that are not finite, or all zero, have no direction: they are never found.
    audio : sequence of str, optional
        `audio_hash` of each track. Where given, one of several tracks with the same audio (the
        first) is found, and a track does not find its own copies.

    Attributes
    ----------
    searched : numpy.ndarray
        int64: the rows that can be found, ascending.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `vectors` has another shape or type, or `audio` another length.
    """

    def __init__(self, vectors: npt.NDArray[Any], audio: Sequence[str] | None = None) -> None:
        if vectors.ndim != 2 or vectors.dtype not in (np.float32, np.float16):
            raise InvalidArgumentError(
                f"vectors are {vectors.dtype} of shape {list(vectors.shape)}; wanted: float32 or "
                "float16, [tracks, values]"
            )
        count = len(vectors)
        if audio is not None and len(audio) != count:
            raise InvalidArgumentError(f"{len(audio)} hashes of audio for {count} tracks")
        self._vectors = np.asarray(vectors, np.float32)
        lengths = np.concatenate([np.zeros(0), *map(_lengths, self._parts())])
        has_direction = np.isfinite(lengths) & (lengths > 0)
        self._scales = np.zeros(count, np.float32)
        np.divide(1.0, lengths, out=self._scales, where=has_direction)
        self._first = np.arange(count)  # row -> the row that stands for the same audio
        if audio is not None:
            self._first = _first_of_each(audio, has_direction)
        self.searched: Rows = np.flatnonzero(
            has_direction & (self._first == np.arange(count))
        ).astype(np.int64)
        self._found = np.zeros(count, bool)
        self._found[self.searched] = True

    def nearest(
        self, query: npt.NDArray[Any], k: int, *, leaving_out: Sequence[int] = ()
    ) -> tuple[Rows, Scores]:
        """Find the tracks that are nearest to a vector.

        Parameters
        ----------
        query : numpy.ndarray
            Shape [values].
        k : int
            How many; fewer are found where there are fewer.
        leaving_out : sequence of int
            Rows that are not to be found, and with them others of the same audio.

        Returns
        -------
        rows : numpy.ndarray
            int64, shape [found], the nearest first; equally near ones in the order of the rows.
        scores : numpy.ndarray
            float32, shape [found], -1 to 1: the cosine.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            `k` is below 1, `query` has another length, or no direction.
        """
        return self.nearest_to_each(query[None], k, leaving_out=leaving_out)[0]

    def nearest_to_each(
        self, queries: npt.NDArray[Any], k: int, *, leaving_out: Sequence[int] = ()
    ) -> list[tuple[Rows, Scores]]:
        """Find the tracks that are nearest to each of several vectors, which takes less time.

        Parameters
        ----------
        queries : numpy.ndarray
            Shape [queries, values].
        k, leaving_out
            See `nearest`.

        Returns
        -------
        list of tuple
            For each of `queries` what `nearest` gives.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            See `nearest`.
        """
        _check_count(k)
        left_out = np.unique(self._first[np.asarray(leaving_out, np.int64)])
        found = self._search(self._directions(queries), k + len(left_out))
        return [_without(one, left_out, k) for one in found]

    def has_direction(self, row: int) -> bool:
        """Tell whether a row can be compared: it is finite, and not all zero."""
        return bool(self._scales[row] > 0)

    def same_audio(self, row: int, other: int) -> bool:
        """Tell whether two rows are the same track, or copies of it."""
        return bool(self._first[row] == self._first[other])

    def near(self, row: int, k: int) -> tuple[Rows, Scores]:
        """Find the tracks that are nearest to one of them; itself is not among them.

        Parameters
        ----------
        row : int
            Which.
        k : int
            See `nearest`.

        Returns
        -------
        rows, scores : numpy.ndarray
            See `nearest`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            See `nearest`.
        """
        return self.nearest(self._vectors[row], k, leaving_out=[row])

    def of_each(self, k: int) -> tuple[Rows, Scores]:
        """Find the nearest of every track; none is its own neighbour.

        Parameters
        ----------
        k : int
            How many; fewer where no more can be found.

        Returns
        -------
        rows : numpy.ndarray
            int64, shape [tracks, found], the nearest first. -1 for tracks without direction.
        scores : numpy.ndarray
            float32, shape [tracks, found]; NaN for tracks without direction.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            `k` is below 1.
        """
        _check_count(k)
        count, width = len(self._vectors), min(k, max(len(self.searched) - 1, 0))
        rows = np.full((count, width), -1, np.int64)
        scores = np.full((count, width), np.nan, np.float32)
        if not width:
            return rows, scores
        step = max(1, _MOST_SCORES // len(self.searched))
        for begin in range(0, len(self.searched), step):
            asked = self.searched[begin : begin + step]
            found = self._search(self._directions(self._vectors[asked]), width + 1)
            for row, one in zip(asked, found, strict=True):
                rows[row], scores[row] = _without(one, np.array([row]), width)
        same = np.flatnonzero(self._first != np.arange(count))
        rows[same], scores[same] = rows[self._first[same]], scores[self._first[same]]
        return rows, scores

    def scores(self, query: npt.NDArray[Any]) -> Scores:
        """Compute how near every track is to a vector.

        Parameters
        ----------
        query : numpy.ndarray
            Shape [values].

        Returns
        -------
        numpy.ndarray
            float32, shape [tracks], -1 to 1; NaN for tracks without direction.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            `query` has another length, or no direction.
        """
        products: Scores = self._products(self._directions(query[None]))[0]
        products[self._scales == 0] = np.nan
        return products

    def _directions(self, queries: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        width = self._vectors.shape[1]
        if queries.shape[1:] != (width,):
            raise InvalidArgumentError(
                f"a vector of shape {list(queries.shape[1:])} was asked for; wanted: [{width}], "
                "as those that are searched"
            )
        wide = queries.astype(np.float64)
        lengths = np.linalg.norm(wide, axis=1, keepdims=True)
        if not (np.isfinite(lengths) & (lengths > 0)).all():
            raise InvalidArgumentError(
                "the vector that was asked for is all zero, or not finite: nothing is near to it"
            )
        directions: npt.NDArray[np.float64] = wide / lengths
        return directions

    def _parts(self) -> Iterator[npt.NDArray[np.float32]]:
        step = max(1, _MOST_SQUARES // max(1, self._vectors.shape[1]))
        for begin in range(0, len(self._vectors), step):
            yield self._vectors[begin : begin + step]

    def _products(self, directions: npt.NDArray[np.float64]) -> Scores:
        """Compute the cosine of each of some directions with every row: [queries, tracks]."""
        asked = np.ascontiguousarray(directions, np.float32)
        products = np.empty((len(asked), len(self._vectors)), np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            np.matmul(asked, self._vectors.T, out=products)
            products *= self._scales
        return products

    def _search(self, directions: npt.NDArray[np.float64], k: int) -> Iterator[tuple[Rows, Scores]]:
        """Find the `k` nearest of each direction."""
        products = self._products(directions)
        products[:, ~self._found] = -np.inf
        count = min(k, len(self.searched))
        for direction, row in zip(directions, products, strict=True):
            if not count:
                yield np.zeros(0, np.int64), np.zeros(0, np.float32)
                continue
            least = np.partition(row, len(row) - count)[len(row) - count]
            rows = np.flatnonzero(row >= least - _MARGIN).astype(np.int64)
            parts = np.array_split(rows, 1 + rows.size * len(direction) // _MOST_SCORES)
            exact = np.concatenate([self._exact(part, direction) for part in parts])
            order = np.lexsort((rows, -exact))[:count]
            yield rows[order], np.clip(exact[order], -1, 1).astype(np.float32)

    def _exact(self, rows: Rows, direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        wide = self._vectors[rows].astype(np.float64)
        exact = wide @ direction / np.linalg.norm(wide, axis=1)
        rounded: npt.NDArray[np.float64] = np.round(exact, _DIGITS)
        return rounded


def _lengths(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        lengths: npt.NDArray[np.float64] = np.sqrt(squares, dtype=np.float64)
    # Squares of what is very small or large have no float32.
    odd = ~((lengths > _SHORT) & (lengths < _LONG))
    lengths[odd] = np.linalg.norm(vectors[odd].astype(np.float64), axis=1)
    return lengths


def _first_of_each(audio: Sequence[str], usable: npt.NDArray[np.bool_]) -> Rows:
    """Give for each row the first one of the same audio, if possible one that is usable."""
    firsts: dict[str, int] = {}
    for row, (one, good) in enumerate(zip(audio, usable.tolist(), strict=True)):
        if good:
            firsts.setdefault(one, row)
    return np.array([firsts.get(one, row) for row, one in enumerate(audio)], np.int64)


def _without(found: tuple[Rows, Scores], left_out: Rows, k: int) -> tuple[Rows, Scores]:
    kept = ~np.isin(found[0], left_out)
    return found[0][kept][:k], found[1][kept][:k]


def _check_count(k: int) -> None:
    if k < 1:
        raise InvalidArgumentError(f"k is {k}; 1 or more wanted")
