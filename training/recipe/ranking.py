"""Orders compared, under many weightings of the same tracks at once.

A weight says how often a track counts, as `sample_weight` does in scikit-learn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def precision_and_area(
    scores: NDArray[np.floating], positive: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute average precision and the area under the ROC curve.

    Parameters
    ----------
    scores : float [tracks]
        Equal scores count as one threshold.
    positive : bool [tracks]
    weights : float64 [draws, tracks]

    Returns
    -------
    average_precision, roc_auc : float64 [draws]
        NaN where a draw has no positives or no negatives.
    """
    order, ends = _ordered(-scores)
    weights = weights[:, order]
    true = np.cumsum(weights * positive[order], axis=1)[:, ends]
    found = np.cumsum(weights, axis=1)[:, ends]
    false = found - true
    positives, negatives = true[:, -1], false[:, -1]
    defined = (positives > 0) & (negatives > 0)
    nothing = np.full(len(weights), np.nan)

    gained = np.diff(true, axis=1, prepend=0)
    precision = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
    average = np.divide((gained * precision).sum(1), positives, out=nothing.copy(), where=defined)

    trapezoids = np.diff(false, axis=1, prepend=0) * (true - gained / 2)
    area = np.divide(trapezoids.sum(1), positives * negatives, out=nothing, where=defined)
    return average, area


def class_scores(
    activations: NDArray[np.floating],
    targets: NDArray[np.float32],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score each class by itself.

    Parameters
    ----------
    activations, targets : float [tracks, classes]
        As for `training.downstream.scores.family_scores`.
    weights : float64 [draws, tracks]

    Returns
    -------
    average_precision, roc_auc : float64 [draws, classes]
        NaN where a draw has no positives or no negatives of a class, and where a class has no
        activations.
    """
    precision = np.full((len(weights), targets.shape[1]), np.nan)
    area = precision.copy()
    for column in range(targets.shape[1]):
        known = ~np.isnan(targets[:, column])
        if not known.any() or np.isnan(activations[:, column]).all():
            continue
        precision[:, column], area[:, column] = precision_and_area(
            activations[known, column], targets[known, column] == 1, weights[:, known]
        )
    return precision, area


def ranks(values: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank tracks, each repeated as often as its weight says; equal values share their mean rank.

    Parameters
    ----------
    values : float [tracks]
    weights : float64 [draws, tracks]

    Returns
    -------
    float64 [draws, tracks]
        From 1 on.
    """
    order, ends = _ordered(values)
    last = np.cumsum(weights[:, order], axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(weights), 1)), last[:, :-1]], axis=1)
    tied = np.diff(ends, prepend=-1)
    ranked = np.empty_like(weights)
    ranked[:, order] = np.repeat((before + last + 1) / 2, tied, axis=1)
    return ranked


def correlation(
    first: NDArray[np.floating], second: NDArray[np.floating], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute Pearson's correlation.

    Parameters
    ----------
    first, second : float [tracks] or [draws, tracks]
    weights : float64 [draws, tracks]

    Returns
    -------
    float64 [draws]
        NaN where either is constant.
    """
    total = weights.sum(1, keepdims=True)
    centred = [
        values - (weights * values).sum(1, keepdims=True) / total
        for values in (np.asarray(first, np.float64), np.asarray(second, np.float64))
    ]
    covariance = (weights * centred[0] * centred[1]).sum(1)
    variances = [(weights * values * values).sum(1) for values in centred]
    # what rounding leaves of a constant's variance
    varies = [
        variance > 1e-20 * (weights * np.square(values)).sum(1)
        for variance, values in zip(variances, (first, second), strict=True)
    ]
    scale = np.sqrt(variances[0] * variances[1])
    found: NDArray[np.float64] = np.divide(
        covariance, scale, out=np.full(len(weights), np.nan), where=varies[0] & varies[1]
    )
    return found


def _ordered(values: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the ascending order, and where in it the last of each set of equal values is."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return order, ends
