"""How far a student says of produced music what its teacher says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.tracks import family_of
from training.errors import DataError
from training.recipe.bootstrap import Interval, bootstrap_weights, interval, known_mean
from training.recipe.ranking import class_scores, correlation, ranks

_STRONGEST = 5
_TENTH = 0.1


@dataclass(frozen=True)
class Agreement:
    """Agreement on the tags of one family.

    Attributes
    ----------
    tags, tracks, groups : int
    pearson, spearman : Interval
        Over tracks, of each tag; the median over tags.
    track_spearman : Interval
        Over tags, of each track; the mean over tracks.
    strongest : Interval
        Share of the teacher's five strongest tags of a track that are among the student's five.
    constant_track_spearman, constant_strongest : Interval
        The same of an answer that never changes, the teacher's mean on the training set: what
        knowing the music adds is what is above this.
    mean_average_precision, roc_auc : Interval
        Of finding, tag by tag, the tenth of the tracks on which the teacher is strongest.
    chance : float
        The mean average precision of activations that say nothing.
    """

    tags: int
    tracks: int
    groups: int
    pearson: Interval
    spearman: Interval
    track_spearman: Interval
    strongest: Interval
    constant_track_spearman: Interval
    constant_strongest: Interval
    mean_average_precision: Interval
    roc_auc: Interval
    chance: float


def agreement(
    student: NDArray[np.floating],
    teacher: NDArray[np.floating],
    classes: Sequence[str],
    groups: NDArray[np.str_],
    training_mean: NDArray[np.floating],
    *,
    draws: int,
    seed: int,
) -> dict[str, Agreement]:
    """Compare a student's activations with its teacher's.

    Parameters
    ----------
    student, teacher : float [tracks, classes]
    classes : sequence of str
        The teacher's tags, ``Family---Name``.
    groups : str [tracks]
        What the bootstrap draws: artists.
    training_mean : float [classes]
        The teacher's mean activations on the training set.
    draws, seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Agreement
        By family, in class order.

    Raises
    ------
    DataError
        When sizes do not fit, values are not finite, or there are no tracks.
    """
    _check(student, teacher, classes, groups, training_mean)
    weights = bootstrap_weights(groups, draws=draws, seed=seed)
    families = np.array([family_of(name) for name in classes])
    found = {}
    for family in dict.fromkeys(families.tolist()):
        members = np.flatnonzero(families == family)
        one, other = student[:, members], teacher[:, members]
        constant = np.broadcast_to(training_mean[members], one.shape)
        pearson, spearman = _over_tracks(one, other, weights)
        precision, area, chance = _finding(one, other, weights)
        found[family] = Agreement(
            tags=len(members),
            tracks=len(student),
            groups=len(np.unique(groups)),
            pearson=pearson,
            spearman=spearman,
            track_spearman=_mean(_same_order(one, other), weights),
            strongest=_mean(_shared(one, other), weights),
            constant_track_spearman=_mean(_same_order(constant, other), weights),
            constant_strongest=_mean(_shared(constant, other), weights),
            mean_average_precision=precision,
            roc_auc=area,
            chance=chance,
        )
    return found


def _over_tracks(
    student: NDArray[np.floating], teacher: NDArray[np.floating], weights: NDArray[np.float64]
) -> tuple[Interval, Interval]:
    """Correlate tag by tag, and give the medians."""
    pearson, spearman = [], []
    for one, other in zip(student.T, teacher.T, strict=True):
        pearson.append(correlation(one, other, weights))
        spearman.append(correlation(ranks(one, weights), ranks(other, weights), weights))
    return (
        interval(_known_median(np.stack(pearson, 1))),
        interval(_known_median(np.stack(spearman, 1))),
    )


def _known_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last axis, leaving NaN out; NaN where nothing is left."""
    median = np.full(len(values), np.nan)
    defined = ~np.isnan(values).all(1)
    median[defined] = np.nanmedian(values[defined], axis=1)
    return median


def _same_order(
    student: NDArray[np.floating], teacher: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Correlate the orders of tags, track by track; NaN where either knows no order."""
    once = np.ones((1, student.shape[1]))
    return np.array(
        [
            correlation(ranks(one, once), ranks(other, once), once)[0]
            for one, other in zip(student, teacher, strict=True)
        ]
    )


def _shared(student: NDArray[np.floating], teacher: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of the teacher's strongest tags, as far as it has any, that are the student's too."""
    wanted = _strongest(teacher) & (teacher > 0)
    count = wanted.sum(1)
    shared = (wanted & _strongest(student)).sum(1)
    share: NDArray[np.float64] = np.divide(
        shared, count, out=np.full(len(count), np.nan), where=count > 0
    )
    return share


def _strongest(activations: NDArray[np.floating]) -> NDArray[np.bool_]:
    order = np.argsort(-activations, axis=1, kind="stable")
    chosen = np.zeros(activations.shape, bool)
    np.put_along_axis(chosen, order[:, :_STRONGEST], True, axis=1)
    return chosen


def _mean(of_tracks: NDArray[np.float64], weights: NDArray[np.float64]) -> Interval:
    known = ~np.isnan(of_tracks)
    total = weights[:, known].sum(1)
    mean = np.divide(
        weights[:, known] @ of_tracks[known],
        total,
        out=np.full(len(weights), np.nan),
        where=total > 0,
    )
    return interval(mean)


def _finding(
    student: NDArray[np.floating], teacher: NDArray[np.floating], weights: NDArray[np.float64]
) -> tuple[Interval, Interval, float]:
    """Score the student on finding the tracks on which the teacher is strongest."""
    threshold = np.quantile(teacher, 1 - _TENTH, axis=0)
    # a tag of which the teacher hears nothing on most tracks has fewer
    targets = ((teacher >= threshold) & (teacher > 0)).astype(np.float32)
    precision, area = class_scores(student, targets, weights)
    counted = ~np.isnan(precision[0])
    chance = known_mean(targets.mean(0, dtype=np.float64)[counted])
    return interval(known_mean(precision)), interval(known_mean(area)), float(chance)


def _check(
    student: NDArray[np.floating],
    teacher: NDArray[np.floating],
    classes: Sequence[str],
    groups: NDArray[np.str_],
    training_mean: NDArray[np.floating],
) -> None:
    tracks, tags = len(groups), len(classes)
    for name, array, wanted in (
        ("student's activations", student, (tracks, tags)),
        ("teacher's activations", teacher, (tracks, tags)),
        ("teacher's training mean", training_mean, (tags,)),
    ):
        if array.shape != wanted:
            raise DataError(f"the {name} are {list(array.shape)}; wanted {list(wanted)}")
        if not np.isfinite(array).all():
            raise DataError(f"the {name} have values that are not finite; wanted finite ones")
