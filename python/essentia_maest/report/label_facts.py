"""What a collection's labels say: how often each leads, and where each stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..library.ranks import LEAST_ACTIVATION, percentiles, standing_out
from ..reading.families import SEPARATOR

NONE = 0xFFFF
"""No label."""

STANDING_OUT = 8
"""So many labels that stand out are named of a track,"""

_OF_A_FOLDER = 5  # and of a folder
_MOST_FOLDERS = 200

Activations = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LabelFacts:
    """Labels of a collection, and of each of its tracks.

    Attributes
    ----------
    families : list of str
        ``""`` alone, for all labels, where the labels are of no families.
    family_of : list of int
        Of each label, its place in `families`.
    means : numpy.ndarray
        float32, shape [classes]: mean activation over all tracks.
    lead_counts : numpy.ndarray
        int64, shape [classes]: in how many of all tracks the label is the strongest of its family.
    leading : numpy.ndarray
        uint16, shape [shown, families]: the strongest label of each family; `NONE` where the
        activations are no numbers.
    leading_strengths : numpy.ndarray
        float32, as `leading`: activation.
    standing : numpy.ndarray
        uint16, shape [shown, `STANDING_OUT`]: labels that stand out against all tracks, the
        foremost first; `NONE` where there are no more.
    ranks, strengths : numpy.ndarray
        float32, of the same shape: their percentile, 0 to 100, and activation.
    all_ranks : numpy.ndarray
        float32, shape [shown, classes]: percentiles.
    """

    families: list[str]
    family_of: list[int]
    means: Activations
    lead_counts: npt.NDArray[np.int64]
    leading: npt.NDArray[np.uint16]
    leading_strengths: Activations
    standing: npt.NDArray[np.uint16]
    ranks: Activations
    strengths: Activations
    all_ranks: Activations


def label_facts(
    every: Activations,
    labels: Sequence[str],
    families: Sequence[str],
    shown: npt.NDArray[np.int64],
) -> LabelFacts:
    """Find what there is to say of labels.

    Parameters
    ----------
    every : numpy.ndarray
        float32, shape [tracks, classes]: activations of all tracks.
    labels, families : sequence of str
        Of the model; `families` is empty where it has none.
    shown : numpy.ndarray
        int64: the tracks of which more is to be said.

    Returns
    -------
    LabelFacts
    """
    named = list(families) or [""]
    place = {family: number for number, family in enumerate(named)}
    family_of = [place[label.partition(SEPARATOR)[0]] if families else 0 for label in labels]
    known = ~np.isnan(every).any(axis=1)
    leading = np.full((len(every), len(named)), NONE, np.uint16)
    for number in range(len(named)):
        columns = np.flatnonzero(np.array(family_of) == number)
        leading[known, number] = columns[every[known][:, columns].argmax(axis=1)]
    all_ranks, activations = percentiles(every)[shown], every[shown]
    standing, ranks, strengths = _standing_out(activations, all_ranks, labels)
    at = np.minimum(leading[shown], len(labels) - 1).astype(np.int64)
    means = every[known].mean(axis=0) if known.any() else np.zeros(len(labels))
    return LabelFacts(
        families=named,
        family_of=family_of,
        means=means.astype(np.float32),
        lead_counts=np.bincount(leading[known].reshape(-1), minlength=len(labels)),
        leading=leading[shown],
        leading_strengths=np.take_along_axis(activations, at, axis=1),
        standing=standing,
        ranks=ranks,
        strengths=strengths,
        all_ranks=all_ranks,
    )


def _standing_out(
    activations: Activations, ranks: Activations, labels: Sequence[str]
) -> tuple[npt.NDArray[np.uint16], Activations, Activations]:
    index_of = {label: index for index, label in enumerate(labels)}
    shape = (len(activations), STANDING_OUT)
    standing = np.full(shape, NONE, np.uint16)
    found_ranks, strengths = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row in range(len(activations)):
        found = standing_out(activations[row], ranks[row], labels, STANDING_OUT)
        for column, one in enumerate(found):
            standing[row, column] = index_of[one.label]
            found_ranks[row, column], strengths[row, column] = one.rank, one.activation
    return standing, found_ranks, strengths


def labels_of_folders(
    facts: LabelFacts, activations: Activations, folders: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Name what stands out about folders, beside the collection.

    Parameters
    ----------
    facts : LabelFacts
    activations : numpy.ndarray
        What `facts` are of.
    folders : numpy.ndarray
        int64, shape [tracks]: the folder of each track.

    Returns
    -------
    list of dict
        ``folder``, ``tracks``, and ``labels``: pairs of label and mean percentile, the highest
        first. The folders with most tracks, the largest first.
    """
    numbers, counts = np.unique(folders, return_counts=True)
    found = []
    for place in np.argsort(-counts, kind="stable")[:_MOST_FOLDERS]:
        rows = np.flatnonzero(folders == numbers[place])
        ranks = np.nan_to_num(np.nanmean(facts.all_ranks[rows], axis=0))
        heard = np.nan_to_num(np.nanmean(activations[rows], axis=0)) >= LEAST_ACTIVATION
        order = [label for label in np.argsort(-ranks, kind="stable").tolist() if heard[label]]
        found.append(
            {
                "folder": int(numbers[place]),
                "tracks": int(counts[place]),
                "labels": [
                    [label, round(float(ranks[label]), 1)] for label in order[:_OF_A_FOLDER]
                ],
            }
        )
    return found
