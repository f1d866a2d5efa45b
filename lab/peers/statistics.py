"""Ratios within rounds, and their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Seconds = Sequence[float | None]


class Spread(NamedTuple):
    """Median and quartiles.

    Attributes
    ----------
    low, median, high : float
    rounds : int
        That they are of.
    """

    low: float
    median: float
    high: float
    rounds: int


def spread(values: Seconds) -> Spread | None:
    """Give median and quartiles of the values that are there, None if none is."""
    found = [value for value in values if value is not None]
    if not found:
        return None
    low, median, high = (float(value) for value in np.percentile(found, (25, 50, 75)))
    return Spread(low, median, high, len(found))


def ratios(over: Seconds, under: Seconds, scale: float = 1.0) -> list[float | None]:
    """Divide round by round, where both are there.

    Parameters
    ----------
    over, under : sequence of float or None
        One value per round.
    scale : float
        What all are multiplied by.
    """
    return [
        None if one is None or other is None else scale * one / other
        for one, other in zip(over, under, strict=True)
    ]


def sums(one: Seconds, other: Seconds) -> list[float | None]:
    """Add round by round, where both are there."""
    return [None if a is None or b is None else a + b for a, b in zip(one, other, strict=True)]
