"""Lists of different lengths as flat arrays: what a track's labels are, for millions of tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ragged:
    """Rows of numbers; row `i` is ``values[offsets[i] : offsets[i + 1]]``.

    Parameters
    ----------
    offsets : int64 [rows + 1]
        Starts at 0, never falls.
    values : int64 [offsets[-1]]
    """

    offsets: NDArray[np.int64]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Values in each row, [rows]."""
        return np.diff(self.offsets)

    @property
    def parents(self) -> NDArray[np.int64]:
        """Row of each value, [values]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def row(self, index: int) -> NDArray[np.int64]:
        """Values of one row."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def slice(self, start: int, stop: int) -> Ragged:
        """Rows from `start` to before `stop`."""
        offsets = self.offsets[start : stop + 1]
        return Ragged(offsets - offsets[0], self.values[offsets[0] : offsets[-1]])

    def positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in `values` of the values of `rows`, row after row."""
        lengths = self.lengths[rows]
        starts = np.repeat(self.offsets[:-1][rows] - (np.cumsum(lengths) - lengths), lengths)
        return starts + np.arange(len(starts), dtype=np.int64)

    def take(self, rows: NDArray[np.int64]) -> Ragged:
        """Choose rows, in the order given; a row may appear twice."""
        return Ragged(offsets_of(self.lengths[rows]), self.values[self.positions(rows)])

    def keep(self, mask: NDArray[np.bool_]) -> Ragged:
        """Keep the values at which `mask` [values] is true; every row stays."""
        lengths = np.bincount(self.parents[mask], minlength=len(self))
        return Ragged(offsets_of(lengths), self.values[mask])

    def filled(self, value: int) -> Ragged:
        """Give rows that are empty one value."""
        lengths = np.maximum(self.lengths, 1)
        offsets = offsets_of(lengths)
        values = np.full(offsets[-1], value, np.int64)
        values[np.repeat(self.lengths > 0, lengths)] = self.values
        return Ragged(offsets, values)


def offsets_of(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """Offsets of rows with these lengths, int64 [rows + 1]."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ragged_from_pairs(rows: NDArray[np.int64], values: NDArray[np.int64], row_count: int) -> Ragged:
    """Collect (row, value) pairs into rows; equal pairs count once, values rise within a row.

    Parameters
    ----------
    rows, values : int64 [pairs]
        0 <= rows < row_count, 0 <= values < 2**32.
    row_count : int
    """
    pairs = np.unique((rows << 32) | values)
    return Ragged(offsets_of(np.bincount(pairs >> 32, minlength=row_count)), pairs & 0xFFFFFFFF)


def product(left: Ragged, right: Ragged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair every value of `left` with every value in the same row of `right`.

    Returns
    -------
    left_positions, right_values : int64 [pairs]
        Place in ``left.values``, and the value of `right`.
    """
    parents = left.parents
    positions = np.repeat(np.arange(len(parents), dtype=np.int64), right.lengths[parents])
    return positions, right.take(parents).values
