"""What stands out about a track: its labels against those of the whole collection.

In most music most labels of a model say the same: four beats in a bar, drums, bass. How strong a
label is tells little then; how strong it is beside the other tracks tells more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..reading.families import SEPARATOR

LEAST_ACTIVATION = 0.1
"""Labels that a model gives less to are not said to be there, however rare that little is."""

Ranks = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RankedLabel:
    """A label of a track, beside the collection.

    Attributes
    ----------
    label : str
        The label, with its family where it has one.
    rank : float
        Percentile, 0 to 100: see `percentiles`.
    activation : float
        What the model says, 0 to 1.
    """

    label: str
    rank: float
    activation: float


def percentiles(activations: npt.NDArray[np.floating]) -> Ranks:
    """Rank every label of every track against the collection.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [tracks, classes].

    Returns
    -------
    numpy.ndarray
        float32, shape [tracks, classes], between 0 and 100: the share of tracks in which the label
        is weaker, and half the share of those in which it is equal, the track itself among them
        (the mean rank; SciPy's ``percentileofscore(kind="mean")``). So the mean over all tracks is
        50, and 50 is what a label has that is equal in all. NaN where the activation is; such
        tracks do not count for others.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `activations` has another shape.
    """
    if activations.ndim != 2:
        raise InvalidArgumentError(
            f"activations have shape {list(activations.shape)}; wanted: [tracks, classes]"
        )
    ranks = np.full(activations.shape, np.nan, np.float32)
    for number in range(activations.shape[1]):  # one at a time: a library has 1e6 tracks
        column = np.ascontiguousarray(activations[:, number])
        order = np.argsort(column)  # what is not a number comes last
        count = len(order) - int(np.count_nonzero(np.isnan(column)))
        order = order[:count]
        values = column[order]
        begins = np.flatnonzero(np.r_[count > 0, values[1:] != values[:-1]])  # of equal ones
        equal = np.diff(np.r_[begins, count])
        ranks[order, number] = np.repeat(begins + equal / 2, equal) * (100.0 / max(count, 1))
    return ranks


def percentiles_among(
    activations: npt.NDArray[np.floating], collection: npt.NDArray[np.floating]
) -> Ranks:
    """Rank the labels of one track, of the collection or not, against it.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [classes], of the track.
    collection : numpy.ndarray
        Shape [tracks, classes].

    Returns
    -------
    numpy.ndarray
        float32, shape [classes]: of a track of the collection what `percentiles` gives.
    """
    there = np.count_nonzero(~np.isnan(collection), axis=0)
    less = np.count_nonzero(collection < activations, axis=0)
    equal = np.count_nonzero(collection == activations, axis=0)
    with np.errstate(invalid="ignore"):
        ranks = np.where(np.isnan(activations), np.nan, (less + equal / 2) / there * 100)
    return ranks.astype(np.float32)


def standing_out(
    activations: npt.NDArray[np.floating],
    ranks: Ranks,
    labels: Sequence[str],
    count: int,
    *,
    least: float = LEAST_ACTIVATION,
) -> list[RankedLabel]:
    """Name what stands out about one track, whatever the family.

    Parameters
    ----------
    activations, ranks : numpy.ndarray
        Shape [classes], of the track.
    labels : sequence of str
        Names of the classes.
    count : int
        How many to name at the most.
    least : float
        Labels with a lower activation are not named.

    Returns
    -------
    list of RankedLabel
        The highest rank first; of equal ranks the higher activation.
    """
    order = np.lexsort((np.arange(len(labels)), -activations, -ranks))
    kept = [index for index in order.tolist() if activations[index] >= least][:count]
    return [
        RankedLabel(labels[index], float(ranks[index]), float(activations[index])) for index in kept
    ]


def standing_out_by_family(
    activations: npt.NDArray[np.floating],
    ranks: Ranks,
    labels: Sequence[str],
    families: Sequence[str],
    count: int,
    *,
    least: float = LEAST_ACTIVATION,
) -> dict[str, list[RankedLabel]]:
    """Name what stands out about one track in each family.

    Parameters
    ----------
    activations, ranks, labels, count, least
        See `standing_out`; `count` is of each family.
    families : sequence of str
        What precedes ``---`` in the labels; empty where the labels are of no families.

    Returns
    -------
    dict
        Family -> its labels as `standing_out` orders them, in the order of `families`; ``""`` is
        all labels where there are no families. Families of which nothing is there are left out.
    """
    found = {}
    for family in families or [""]:
        rows = members_of(family, labels)
        named = standing_out(
            activations[rows], ranks[rows], [labels[row] for row in rows], count, least=least
        )
        if named:
            found[family] = named
    return found


def members_of(family: str, labels: Sequence[str]) -> list[int]:
    """Give the classes of a family; all of them for ``""``."""
    beginning = family + SEPARATOR if family else ""
    return [row for row, label in enumerate(labels) if label.startswith(beginning)]
