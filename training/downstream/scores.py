"""How well activations find what is known of tracks: mAP and ROC-AUC, family by family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.data.tracks import family_of
from training.errors import DataError
from training.recipe.bootstrap import Interval, bootstrap_weights, interval, known_mean
from training.recipe.ranking import class_scores

ALL = "all"
"""What stands for all families together, where there is more than one."""


@dataclass(frozen=True)
class FamilyScores:
    """Scores of a family's classes, each class counting alike.

    Attributes
    ----------
    mean_average_precision, roc_auc : Interval
    chance : float
        The mean average precision of activations that say nothing: the mean share of positives.
    classes : int
        That have positives and negatives here; no others count.
    tracks, groups : int
        Annotated with the family.
    """

    mean_average_precision: Interval
    roc_auc: Interval
    chance: float
    classes: int
    tracks: int
    groups: int


class Difference(NamedTuple):
    """By how much one system's scores are above another's on the same tracks."""

    mean_average_precision: Interval
    roc_auc: Interval


def family_scores(
    activations: NDArray[np.floating],
    targets: NDArray[np.float32],
    classes: Sequence[str],
    groups: NDArray[np.str_],
    *,
    draws: int,
    seed: int,
) -> dict[str, FamilyScores]:
    """Score activations.

    Parameters
    ----------
    activations : float [tracks, classes]
        Any numbers that are higher for what is more likely; a class that is NaN for every track
        is left out.
    targets : float32 [tracks, classes]
        1, 0, or NaN where unknown: such tracks do not count for that class.
    classes : sequence of str
    groups : str [tracks]
        What the bootstrap draws: artists, works.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to FamilyScores
        By family, in class order; then `ALL`, where there are several. A draw's score is the mean
        over the classes that have positives and negatives in it.

    Raises
    ------
    DataError
        When sizes do not fit, a target is none of 1, 0 and NaN, an activation is missing, or
        nothing is known of any track.
    """
    kept = _annotated(targets, classes, groups, activations)
    activations, targets, groups = activations[kept], targets[kept], groups[kept]
    weights = bootstrap_weights(groups, draws=draws, seed=seed)
    precision, area = class_scores(activations, targets, weights)
    known = ~np.isnan(targets)
    chance = known_mean(targets.T.astype(np.float64))
    scores = {}
    for family, members in _members(classes).items():
        counted = members[~np.isnan(precision[0, members])]
        annotated = known[:, members].any(1)
        scores[family] = FamilyScores(
            mean_average_precision=interval(known_mean(precision[:, counted])),
            roc_auc=interval(known_mean(area[:, counted])),
            chance=float(known_mean(chance[counted])),
            classes=len(counted),
            tracks=int(annotated.sum()),
            groups=len(np.unique(groups[annotated])),
        )
    return scores


def difference(
    activations: NDArray[np.floating],
    baseline: NDArray[np.floating],
    targets: NDArray[np.float32],
    classes: Sequence[str],
    groups: NDArray[np.str_],
    *,
    draws: int,
    seed: int,
) -> dict[str, Difference]:
    """Compare two systems on the same draws.

    Parameters
    ----------
    activations, baseline : float [tracks, classes]
        The difference is the first's scores less the second's, over the classes that both have.
    targets, classes, groups, draws, seed
        As for `family_scores`.

    Returns
    -------
    dict of str to Difference
        As `family_scores` orders them.

    Raises
    ------
    DataError
        As `family_scores`.
    """
    kept = _annotated(targets, classes, groups, activations, baseline)
    targets, groups = targets[kept], groups[kept]
    weights = bootstrap_weights(groups, draws=draws, seed=seed)
    of_one = class_scores(activations[kept], targets, weights)
    of_other = class_scores(baseline[kept], targets, weights)
    above = [one - other for one, other in zip(of_one, of_other, strict=True)]
    return {
        family: Difference(*(interval(known_mean(values[:, members])) for values in above))
        for family, members in _members(classes).items()
    }


def _members(classes: Sequence[str]) -> dict[str, NDArray[np.intp]]:
    """Classes of each family, and of all of them."""
    families = np.array([family_of(name) for name in classes])
    members = {
        family: np.flatnonzero(families == family) for family in dict.fromkeys(families.tolist())
    }
    if len(members) > 1:
        members[ALL] = np.arange(len(classes))
    return members


def _annotated(
    targets: NDArray[np.float32],
    classes: Sequence[str],
    groups: NDArray[np.str_],
    *answers: NDArray[np.floating],
) -> NDArray[np.intp]:
    """Check what is scored, and say of which tracks (indices) anything is known."""
    wanted = (len(groups), len(classes))
    for name, array in (("targets", targets), *(("activations", answer) for answer in answers)):
        if array.shape != wanted:
            raise DataError(
                f"{name} are {list(array.shape)}; wanted {wanted[0]} tracks (as groups) and "
                f"{wanted[1]} classes"
            )
    known = ~np.isnan(targets)
    if not np.isin(targets[known], (0, 1)).all():
        raise DataError("a target is neither 1, 0 nor NaN (unknown); soft labels cannot be scored")
    annotated = np.flatnonzero(known.any(1))
    if not len(annotated):
        raise DataError(f"nothing is known of any of {len(targets)} tracks")
    for answer in answers:
        wrong = ~np.isfinite(answer)
        column = np.flatnonzero(wrong.any(0) & ~np.isnan(answer).all(0))
        if len(column):
            raise DataError(
                f"activations of {classes[column[0]]} are not finite for "
                f"{wrong[:, column[0]].sum()} of {len(answer)} tracks; wanted all, or NaN for all"
            )
    return annotated
