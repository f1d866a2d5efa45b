"""A short account of a collection: which labels stand out, and for which tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..reading.families import SEPARATOR
from .ranks import RankedLabel, percentiles, standing_out_by_family

LABELS_OF_A_FAMILY = 3


def account_lines(
    activations: npt.NDArray[np.floating],
    labels: Sequence[str],
    families: Sequence[str],
    names: Sequence[str],
) -> list[str]:
    """Tell which labels stand out in a collection, family by family.

    Each track counts for the label of each family that ranks highest for it.

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
    counted: dict[str, dict[str, list[tuple[RankedLabel, str]]]] = {}
    for own, own_ranks, name in zip(activations, ranks, names, strict=True):
        found = standing_out_by_family(own, own_ranks, labels, families, 1)
        for family, (first, *_) in found.items():
            counted.setdefault(family, {}).setdefault(first.label, []).append((first, name))
    width = max(map(len, counted), default=0)
    return [
        f"{family:{width}}  ".lstrip() + ", ".join(_words(family, named) for named in _most(of))
        for family, of in ((one, counted[one]) for one in families or [""] if one in counted)
    ]


def _most(
    counted: dict[str, list[tuple[RankedLabel, str]]],
) -> list[list[tuple[RankedLabel, str]]]:
    most = sorted(counted, key=lambda label: -len(counted[label]))  # equal ones as they came
    return [counted[label] for label in most[:LABELS_OF_A_FAMILY]]


def _words(family: str, named: list[tuple[RankedLabel, str]]) -> str:
    label, name = max(named, key=lambda one: (one[0].rank, one[0].activation))
    short = label.label.removeprefix(family + SEPARATOR) if family else label.label
    return f"{short} {len(named)} ({name})"
