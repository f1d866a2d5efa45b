"""A short account of a collection: which labels stand out, and for which tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..reading.families import SEPARATOR
from .ranks import LEAST_ACTIVATION, members_of, percentiles

LABELS_OF_A_FAMILY = 3


def account_lines(
    activations: npt.NDArray[np.floating],
    labels: Sequence[str],
    families: Sequence[str],
    names: Sequence[str],
) -> list[str]:
    """Tell which labels stand out in a collection, family by family.

    Each track counts for the label of each family that ranks highest for it, as
    `standing_out_by_family` names it.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [tracks, classes].
    labels : sequence of str
        Names of the classes.
    families : sequence of str
        What precedes ``---`` in them; empty where they are of no families.
    names : sequence of str
        What the tracks are called.

    Returns
    -------
    list of str
        A line for each family: the labels that stand out for most tracks, for how many, and the
        track for which each does most.
    """
    ranks = percentiles(activations)
    told = {}
    for family in families or [""]:
        members = members_of(family, labels)
        first, tracks = _first_labels(activations[:, members], ranks[:, members])
        words = []
        for label, count in _most_common(first):
            rows = tracks[first == label]
            column = members[label]
            best = rows[np.lexsort((rows, -activations[rows, column], -ranks[rows, column]))[0]]
            short = labels[column].removeprefix(family + SEPARATOR if family else "")
            words.append(f"{short} {count} ({names[best]})")
        if words:
            told[family] = ", ".join(words)
    width = max(map(len, told), default=0)
    return [f"{family:{width}}  {words}".lstrip() for family, words in told.items()]


def _first_labels(
    activations: npt.NDArray[np.floating], ranks: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the highest-ranking column of each row, and the rows in which one is there at all."""
    there = activations >= LEAST_ACTIVATION
    ranked = np.where(there, ranks, -np.inf)
    highest = ranked == ranked.max(axis=1, keepdims=True, initial=-np.inf)
    rows = np.flatnonzero(there.any(axis=1))
    first = np.where(highest & there, activations, -np.inf)[rows].argmax(axis=1)
    return first.astype(np.int64), rows.astype(np.int64)


def _most_common(found: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    numbers, counts = np.unique(found, return_counts=True)
    order = np.lexsort((numbers, -counts))[:LABELS_OF_A_FAMILY]
    return [(int(numbers[place]), int(counts[place])) for place in order]
