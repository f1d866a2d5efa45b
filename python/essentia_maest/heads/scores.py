"""What predictions are worth: scores by scikit-learn, and how sure they are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..reading.head_description import MULTI_CLASS

Array = npt.NDArray[Any]

RESAMPLES = 1000
_CALIBRATION_BINS = 10
_EPSILON = 1e-7

ROC_AUC, MAP, ACCURACY, BALANCED = ("ROC-AUC", "mAP", "accuracy", "balanced accuracy")
"""Macro averages: each class counts the same."""


@dataclass(frozen=True)
class Score:
    """A number, and how sure it is.

    Attributes
    ----------
    value : float
    low, high : float
        Bounds of the 95 % interval: percentiles of a bootstrap that draws groups.
    baseline : float
        What always giving the labels' shares comes to: for accuracy, always the commonest class.
    """

    value: float
    low: float
    high: float
    baseline: float


def scores_of(
    truth: Array, probabilities: Array, groups: Sequence[int], kind: str, seed: int
) -> dict[str, Score]:
    """Score predictions of tracks that were not learnt from.

    Parameters
    ----------
    truth : numpy.ndarray
        bool, shape [tracks, classes]. Each class has tracks with and without it.
    probabilities : numpy.ndarray
        Shape [tracks, classes].
    groups : sequence of int
        Group of each track.
    kind : str
        One of `essentia_maest.reading.head_description.KINDS`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Score
        Macro ROC-AUC and mAP; for one label a track also accuracy and balanced accuracy.
    """
    values = _values(truth, probabilities, kind)
    drawn = _drawn(groups, seed)
    spread = weighted_scores(truth, probabilities, drawn, kind)
    shares = truth.mean(axis=0)
    baselines = {
        ROC_AUC: 0.5,
        MAP: float(shares.mean()),
        ACCURACY: float(shares.max()),
        BALANCED: 1 / truth.shape[1],
    }
    scores = {}
    for name, value in values.items():
        drawn_values = spread[name][np.isfinite(spread[name])]
        # Where no draw has two classes, nothing is known.
        low, high = np.percentile(drawn_values, [2.5, 97.5]) if len(drawn_values) else (0.0, 1.0)
        scores[name] = Score(value, float(low), float(high), baselines[name])
    return scores


def _values(truth: Array, probabilities: Array, kind: str) -> dict[str, float]:
    from sklearn.metrics import (  # type: ignore[import-untyped]
        accuracy_score,
        average_precision_score,
        balanced_accuracy_score,
        roc_auc_score,
    )

    values = {
        ROC_AUC: float(roc_auc_score(truth, probabilities, average="macro")),
        MAP: float(average_precision_score(truth, probabilities, average="macro")),
    }
    if kind == MULTI_CLASS:
        right, found = truth.argmax(axis=1), probabilities.argmax(axis=1)
        values[ACCURACY] = float(accuracy_score(right, found))
        values[BALANCED] = float(balanced_accuracy_score(right, found))
    return values


def _drawn(groups: Sequence[int], seed: int) -> Array:
    """Draw groups with replacement; give how often each track comes, shape [draws, tracks]."""
    numbers, indices = np.unique(np.asarray(groups), return_inverse=True)
    count = len(numbers)
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return times[:, indices].astype(np.float64)


def weighted_scores(
    truth: Array, probabilities: Array, weights: Array, kind: str
) -> dict[str, Array]:
    """Compute the scores for many weightings of the tracks at once.

    For each they are what scikit-learn gives with ``sample_weight``; a thousand of its calls take
    half a minute.

    Parameters
    ----------
    truth, probabilities, kind
        See `scores_of`.
    weights : numpy.ndarray
        Shape [draws, tracks].

    Returns
    -------
    dict of str to numpy.ndarray
        Shape [draws]; classes that a draw has none of, or nothing else, do not count in it. NaN
        where there is no other.
    """
    areas, precisions = [], []
    for column, scores in zip(truth.T, probabilities.T, strict=True):
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
        chosen = weights[:, order]
        with_it = np.cumsum(chosen * column[order], axis=1)[:, ends]
        without = np.cumsum(chosen * ~column[order], axis=1)[:, ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            hits = with_it / with_it[:, -1:]
            false = without / without[:, -1:]
            precision = np.nan_to_num(with_it / (with_it + without))
        hits_before = np.concatenate([np.zeros((len(hits), 1)), hits], axis=1)
        false_before = np.concatenate([np.zeros((len(hits), 1)), false], axis=1)
        steps = np.diff(hits_before, axis=1)
        area = np.diff(false_before, axis=1) * (hits_before[:, 1:] + hits_before[:, :-1]) / 2
        areas.append(area.sum(axis=1))
        precisions.append(np.where(without[:, -1] > 0, (steps * precision).sum(axis=1), np.nan))
    scores_found = {ROC_AUC: _mean(areas), MAP: _mean(precisions)}
    if kind == MULTI_CLASS:
        right = truth[np.arange(len(truth)), probabilities.argmax(axis=1)]
        scores_found[ACCURACY] = (weights * right).sum(axis=1) / weights.sum(axis=1)
        with np.errstate(invalid="ignore"):
            recalls = [
                (weights * (right & column)).sum(axis=1) / (weights * column).sum(axis=1)
                for column in truth.T
            ]
        scores_found[BALANCED] = _mean(recalls)
    return scores_found


def _mean(columns: list[Array]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of draws with no class at all
        mean: Array = np.nanmean(np.stack(columns), axis=0)
    return mean


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told from the others.

    Attributes
    ----------
    name : str
    tracks : int
        With it.
    roc_auc, average_precision : float
    precision, recall : float
        Where it is predicted: the most probable class, or a probability of 0.5 and more.
    """

    name: str
    tracks: int
    roc_auc: float
    average_precision: float
    precision: float
    recall: float


def class_scores(
    truth: Array, probabilities: Array, classes: Sequence[str], kind: str
) -> list[ClassScore]:
    """Score each class by itself; parameters as those of `scores_of`."""
    from sklearn.metrics import (
        average_precision_score,
        precision_recall_fscore_support,
        roc_auc_score,
    )

    found = predicted(probabilities, kind)
    precision, recall, _, counts = precision_recall_fscore_support(
        truth, found, average=None, zero_division=0
    )
    return [
        ClassScore(
            name,
            int(counts[index]),
            float(roc_auc_score(truth[:, index], probabilities[:, index])),
            float(average_precision_score(truth[:, index], probabilities[:, index])),
            float(precision[index]),
            float(recall[index]),
        )
        for index, name in enumerate(classes)
    ]


def predicted(probabilities: Array, kind: str) -> Array:
    """Tell which labels are given: bool, shape [tracks, classes]."""
    if kind == MULTI_CLASS:
        found = np.zeros(probabilities.shape, bool)
        found[np.arange(len(found)), probabilities.argmax(axis=1)] = True
        return found
    chosen: Array = probabilities >= 0.5
    return chosen


def confusion(truth: Array, probabilities: Array) -> Array:
    """Count what was taken for what: int, [true class, predicted class]."""
    from sklearn.metrics import confusion_matrix

    right, found = truth.argmax(axis=1), probabilities.argmax(axis=1)
    table: Array = confusion_matrix(right, found, labels=np.arange(truth.shape[1]))
    return table


def log_loss_of(truth: Array, probabilities: Array, kind: str) -> float:
    """Give the mean negative log likelihood: of the class, or of each label."""
    bounded = np.clip(probabilities, _EPSILON, 1 - _EPSILON)
    if kind == MULTI_CLASS:
        return float(-np.log(bounded[truth]).mean())
    return float(-np.where(truth, np.log(bounded), np.log1p(-bounded)).mean())


def calibration_error(truth: Array, probabilities: Array, kind: str) -> float:
    """Give the expected calibration error (Guo et al., 2017) in ten bins.

    Of one label a track: of the most probable class; of several: of all probabilities.
    """
    if kind == MULTI_CLASS:
        best = probabilities.argmax(axis=1)
        rows = np.arange(len(truth))
        sure, right = probabilities[rows, best], truth[rows, best]
    else:
        sure, right = probabilities.ravel(), truth.ravel()
    bins = np.minimum((sure * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    error = 0.0
    for number in range(_CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    return float(error)
