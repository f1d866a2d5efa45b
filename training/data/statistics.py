"""Mean and standard deviation of the mel values of many tracks, gathered track by track."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import DataError


class Sums(NamedTuple):
    """What a track adds to the statistics.

    Attributes
    ----------
    total, squares : float
        Sum of its values and of their squares, in float64.
    """

    total: float
    squares: float


def sums_of(mel: npt.NDArray[np.float16]) -> Sums:
    """Add up a track, as it is stored.

    Parameters
    ----------
    mel : numpy.ndarray, shape [frames, 96], float16
    """
    values = mel.astype(np.float64).reshape(-1)
    return Sums(float(values.sum()), float(values @ values))


def mean_and_deviation(
    count: int, totals: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Merge the sums of tracks.

    Parameters
    ----------
    count : int
        Values in all.
    totals, squares : numpy.ndarray, shape [tracks]
        `Sums` of each track.

    Returns
    -------
    mean, deviation : float
        Over all values of all tracks (the population's, not a sample's); every frame counts the
        same, and the result does not depend on the order of the tracks.

    Raises
    ------
    DataError
        No values, or all are the same, so that nothing could be normalised.
    """
    if count == 0:
        raise DataError("no mel values to take mean and standard deviation of")
    mean = math.fsum(totals) / count
    variance = math.fsum(squares) / count - mean**2
    # Below float64's rounding of the two terms, the difference is noise.
    if variance <= 1e-12 * mean**2 or not math.isfinite(variance):
        raise DataError(
            f"the mel values have mean {mean} and variance {variance}; wanted values that differ"
        )
    return mean, math.sqrt(variance)
