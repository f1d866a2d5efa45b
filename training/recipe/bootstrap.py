"""How sure a number is: the bootstrap over groups of tracks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from training.errors import DataError

_STANDARD_ERRORS = float(norm.ppf(0.975))


class Interval(NamedTuple):
    """A number with its 95 % bootstrap interval; all NaN where it is undefined."""

    value: float
    low: float
    high: float

    @property
    def standard_error(self) -> float:
        """The deviation of the draws."""
        return (self.high - self.value) / _STANDARD_ERRORS


def bootstrap_weights(groups: NDArray[np.str_], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Draw groups with replacement; tracks of a group (artist, work) come and go together.

    Parameters
    ----------
    groups : str [tracks]
    draws : int
        At least 1.
    seed : int

    Returns
    -------
    float64 [1 + draws, tracks]
        How often a draw has a track; the first row is the tracks as they are, 1 each. The same
        groups, draws and seed give the same weights.

    Raises
    ------
    DataError
        When there are no tracks or no draws.
    """
    if len(groups) == 0 or draws < 1:
        raise DataError(f"{len(groups)} tracks and {draws} draws; wanted at least 1 of each")
    names, group_of = np.unique(groups, return_inverse=True)
    shares = np.full(len(names), 1 / len(names))
    drawn = np.random.default_rng(seed).multinomial(len(names), shares, size=draws)
    everything = np.ones((1, len(names)), drawn.dtype)
    return np.concatenate([everything, drawn])[:, group_of].astype(np.float64)


def interval(values: NDArray[np.float64]) -> Interval:
    """Sum up what was computed once for each row of `bootstrap_weights`.

    The interval is the value and 1.96 standard errors, the deviation of the draws, to each side. No
    percentiles: a draw repeats tracks and loses rare classes, which raises mean average precision
    so far that most draws can lie above the value, and correcting that bias leaves the value
    outside of its own interval.

    Parameters
    ----------
    values : float64 [1 + draws]
        The tracks as they are first; NaN where a draw leaves the number undefined.
    """
    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or len(drawn) == 0:
        return Interval(np.nan, np.nan, np.nan)
    error = _STANDARD_ERRORS * float(drawn.std())
    return Interval(float(values[0]), float(values[0]) - error, float(values[0]) + error)


def known_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over the last axis, leaving NaN out; NaN where nothing is left."""
    known = ~np.isnan(values)
    count = known.sum(-1)
    total = np.where(known, values, 0.0).sum(-1)
    mean: NDArray[np.float64] = np.divide(
        total, count, out=np.full(np.shape(total), np.nan), where=count > 0
    )
    return mean
