"""Neighbours that are not all alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError

POOL = 10
"""From how many times as many of the nearest tracks various ones are chosen."""


def varied(
    vectors: npt.NDArray[Any], nearness: npt.NDArray[np.float32], k: int, balance: float
) -> npt.NDArray[np.int64]:
    """Choose tracks that are near to what was asked for, and not to each other.

    Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): the first is the nearest, each
    next one that with the highest ``balance * nearness - (1 - balance) * s``, where ``s`` is its
    cosine with the most similar of those that are chosen already.

    Parameters
    ----------
    vectors : numpy.ndarray
        Shape [candidates, values], finite and not zero.
    nearness : numpy.ndarray
        Shape [candidates]: the cosine of each with what was asked for.
    k : int
        How many to choose; all, in the order of choice, where there are no more.
    balance : float
        0 to 1: 1 chooses the nearest, whatever they are; 0 looks at variety only.

    Returns
    -------
    numpy.ndarray
        int64, shape [chosen]: rows of `vectors` in the order of choice. Of equally good ones the
        first.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `balance` is not between 0 and 1, or `k` below 1.
    """
    if not 0 <= balance <= 1:
        raise InvalidArgumentError(f"mmr is {balance:g}; wanted: 0 (variety) to 1 (nearness)")
    if k < 1:
        raise InvalidArgumentError(f"k is {k}; 1 or more wanted")
    directions = vectors.astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    left = np.ones(len(directions), bool)
    most_similar = np.full(len(directions), -np.inf)
    chosen: list[int] = []
    for _ in range(min(k, len(directions))):
        alike = most_similar if chosen else np.zeros(len(directions))
        worth = balance * nearness.astype(np.float64) - (1 - balance) * alike
        if not chosen:
            worth = nearness.astype(np.float64)
        worth[~left] = -np.inf
        best = int(np.argmax(worth))
        chosen.append(best)
        left[best] = False
        np.maximum(most_similar, directions @ directions[best], out=most_similar)
    return np.array(chosen, np.int64)
