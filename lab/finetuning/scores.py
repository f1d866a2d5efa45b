"""Scores over several ways to deal the same music, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """

    targets: NDArray[np.float32]
    groups: NDArray[np.str_]


class DealtScores(NamedTuple):
    """Means over deals.

    Parameters
    ----------
    mean_average_precision, roc_auc : Interval
        With an interval from a bootstrap over the pieces of each deal.
    above : Interval, optional
        Of the mAP: how far it is above that of the system that all are compared with.
    by_deal : sequence of float
        The mAP of each deal.
    """

    mean_average_precision: Interval
    roc_auc: Interval
    above: Interval | None
    by_deal: Sequence[float]


def dealt_scores(
    activations: Sequence[NDArray[np.floating]],
    baseline: Sequence[NDArray[np.floating]] | None,
    truths: Sequence[Truth],
    *,
    draws: int,
    seed: int,
) -> DealtScores:
    """Score a system's answers, deal by deal, and average.

    Parameters
    ----------
    activations, baseline : sequence of ndarray [tracks, classes]
        Of each deal; None compares with nothing.
    truths : sequence of Truth
        Hardly a piece is in the test split of two: draws of each are its own.
    draws, seed : int
        Of the bootstrap.
    """
    own = _drawn(activations, truths, draws, seed)
    above = None
    if baseline is not None:
        above = interval((own[0] - _drawn(baseline, truths, draws, seed)[0]).mean(axis=0))
    return DealtScores(
        interval(own[0].mean(axis=0)), interval(own[1].mean(axis=0)), above, own[0][:, 0].tolist()
    )


def _drawn(
    activations: Sequence[NDArray[np.floating]], truths: Sequence[Truth], draws: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give mAP and ROC-AUC of the tracks as they are, and of draws of them: [deals, 1 + draws]."""
    precisions, areas = [], []
    for number, (answers, truth) in enumerate(zip(activations, truths, strict=True)):
        weights = bootstrap_weights(truth.groups, draws=draws, seed=seed + number)
        precision, area = class_scores(answers, truth.targets, weights)
        precisions.append(known_mean(precision))
        areas.append(known_mean(area))
    return np.array(precisions), np.array(areas)
