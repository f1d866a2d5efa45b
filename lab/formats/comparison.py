"""Two signals compared: length, offset, correlation, largest difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 16000

_REACH = 8000
"""Samples by which one signal may begin before or after the other."""

_UNLIKE = 0.05
"""Correlation of signals that have nothing to do with each other."""


class Likeness(NamedTuple):
    """How a signal compares with what it ought to be."""

    offset: int
    """Samples by which it is late."""

    correlation: float
    """At that offset, of the part that both have."""


def likeness(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> Likeness:
    """Find where a signal lies over another.

    Parameters
    ----------
    found, wanted : float32 [samples]

    Returns
    -------
    Likeness
        (0, 0.0) where one of both is silent or empty.
    """
    if len(found) < 2 or len(wanted) < 2 or not np.isfinite(found).all():
        return Likeness(0, 0.0)
    size = 1 << (len(found) + len(wanted)).bit_length()
    spectrum = np.fft.rfft(found.astype(np.float64), size) * np.conj(
        np.fft.rfft(wanted.astype(np.float64), size)
    )
    products = np.fft.irfft(spectrum, size)
    lags = np.concatenate([products[-_REACH:], products[: _REACH + 1]])
    offset = int(np.argmax(lags)) - _REACH
    one, other = aligned(found, wanted, offset)
    power = np.sqrt((one.astype(np.float64) ** 2).sum() * (other.astype(np.float64) ** 2).sum())
    # The delay need not be whole samples at this rate.
    angles = 2j * np.pi * np.arange(len(spectrum)) / size
    between = [np.exp(angles * (offset + shift)) for shift in np.linspace(-0.5, 0.5, 17)]
    best = max(float((spectrum * turn).real.sum()) * 2 / size for turn in between)
    correlation = min(best / power, 1.0) if power > 0 else 0.0
    return Likeness(offset, correlation) if correlation > _UNLIKE else Likeness(0, correlation)


def likeness_of_parts(found: NDArray[np.float32], parts: Sequence[NDArray[np.float32]]) -> Likeness:
    """Find several signals, one after the other, in one.

    Parameters
    ----------
    found : float32 [samples]
    parts : sequence of float32 [samples]

    Returns
    -------
    Likeness
        Offset of the first part; correlation of the worst.
    """
    if len(parts) == 1:
        return likeness(found, parts[0])
    begin, first, worst = 0, 0, 1.0
    for number, part in enumerate(parts):
        at = max(begin - _REACH // 2, 0)
        there = likeness(found[at : at + len(part) + _REACH], part)
        offset = at + there.offset - begin
        first = offset if number == 0 else first
        worst = min(worst, there.correlation)
        begin += len(part) + offset
    return Likeness(first, worst)


def aligned(
    found: NDArray[np.float32], wanted: NDArray[np.float32], offset: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut two signals to what both have, `found` being late by `offset` samples."""
    found, wanted = found[max(offset, 0) :], wanted[max(-offset, 0) :]
    length = min(len(found), len(wanted))
    return found[:length], wanted[:length]


def largest_difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Give the largest difference, both clipped to [-1, 1], of the part that both have."""
    length = min(len(one), len(other))
    if not length:
        return 0.0
    difference = np.clip(one[:length], -1, 1) - np.clip(other[:length], -1, 1)
    return float(np.abs(difference).max())
