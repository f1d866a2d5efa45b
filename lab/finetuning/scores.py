"""Scores over several ways to deal the same music, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as students_t

from training.recipe.bootstrap import Interval, bootstrap_weights, interval, known_mean
from training.recipe.ranking import class_scores


@dataclass(frozen=True)
class Truth:
    """The test split of one deal.

    Parameters
    ----------
    targets : ndarray of float32 [tracks, classes]
    groups : ndarray of str [tracks]
        Pieces: what the bootstrap draws.
    deal : int
        Which; several seeds may have trained on it.
    """

    targets: NDArray[np.float32]
    groups: NDArray[np.str_]
    deal: int = 0


class Difference(NamedTuple):
    """By how much one system is above another.

    Parameters
    ----------
    drawn : Interval
        The mean over deals; the interval is of a bootstrap over pieces.
    over_deals : Interval
        The same mean; the interval is Student's, of the deals' differences.
    by_deal : sequence of float
        Means over seeds.
    """

    drawn: Interval
    over_deals: Interval
    by_deal: Sequence[float]


class DealtScores(NamedTuple):
    """Means over deals.

    Parameters
    ----------
    mean_average_precision, roc_auc : Interval
        With an interval from a bootstrap over pieces.
    above : Difference, optional
        Of the mAP: how far it is above that of the system that all are compared with.
    by_deal : sequence of float
        The mAP of each deal, a mean over seeds.
    """

    mean_average_precision: Interval
    roc_auc: Interval
    above: Difference | None
    by_deal: Sequence[float]


def dealt_scores(
    activations: Sequence[NDArray[np.floating]],
    baseline: Sequence[NDArray[np.floating]] | None,
    truths: Sequence[Truth],
    *,
    draws: int,
    seed: int,
) -> DealtScores:
    """Score a system's answers, run by run, and average.

    Parameters
    ----------
    activations, baseline : sequence of ndarray [tracks, classes]
        Of each run; None compares with nothing.
    truths : sequence of Truth
        Of each run: a deal and a seed. A piece counts as often in all of them as it was drawn.
    draws, seed : int
        Of the bootstrap.
    """
    precision, area = _drawn(activations, truths, draws, seed)
    above = None
    if baseline is not None:
        above = _difference(precision - _drawn(baseline, truths, draws, seed)[0])
    return DealtScores(
        interval(precision.mean(axis=0)),
        interval(area.mean(axis=0)),
        above,
        precision[:, 0].tolist(),
    )


def _difference(values: NDArray[np.float64]) -> Difference:
    """Sum up differences, [deals, 1 + draws]."""
    each = values[:, 0]
    mean, count = float(each.mean()), len(each)
    half = np.nan
    if count > 1:
        half = float(students_t.ppf(0.975, count - 1) * each.std(ddof=1) / np.sqrt(count))
    return Difference(
        interval(values.mean(axis=0)), Interval(mean, mean - half, mean + half), each.tolist()
    )


def _drawn(
    activations: Sequence[NDArray[np.floating]], truths: Sequence[Truth], draws: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give mAP and ROC-AUC of the tracks as they are, and of draws of them: [deals, 1 + draws]."""
    pieces = np.unique(np.concatenate([truth.groups for truth in truths]))
    drawn = bootstrap_weights(pieces, draws=draws, seed=seed)
    deals = np.array([truth.deal for truth in truths])
    scores = np.empty((2, len(truths), 1 + draws))
    for number, (answers, truth) in enumerate(zip(activations, truths, strict=True)):
        weights = drawn[:, np.searchsorted(pieces, truth.groups)]
        found = class_scores(answers, truth.targets, weights)
        scores[:, number] = [known_mean(one) for one in found]
    precision, area = (
        np.stack([one[deals == deal].mean(axis=0) for deal in np.unique(deals)]) for one in scores
    )
    return precision, area
