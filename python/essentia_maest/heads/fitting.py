"""Regularised logistic regression on standardised embeddings, made for few labels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..reading.head_description import MULTI_CLASS
from .scores import log_loss_of

Array = npt.NDArray[Any]

STRENGTHS = tuple(float(value) for value in np.logspace(-2, 4, 9))
"""Inverse strengths of the regularisation that are tried; features have a variance of one over
their number, so that a strength means the same for embeddings of any length."""

MOST_FOLDS = 10
_FOLDS_OF_MANY = 5
_MANY = 200  # tracks; from here on training sets differ little
_INNER_FOLDS = 5
_NEVER = -30.0  # logit of a class that a training set does not have
_EXACT = 1e-8  # tolerance of the head that is written
_TEMPERATURES = (-2.0, 2.0)  # of the logarithm


@dataclass(frozen=True)
class LinearHead:
    """A head as numbers: ``logits = (embeddings - mean) * scale @ weights + bias``.

    Attributes
    ----------
    mean, scale : numpy.ndarray
        float64, shape [values].
    weights : numpy.ndarray
        float64, shape [values, classes].
    bias : numpy.ndarray
        float64, shape [classes].
    kind : str
        One of `essentia_maest.reading.head_description.KINDS`.
    """

    mean: Array
    scale: Array
    weights: Array
    bias: Array
    kind: str

    def logits(self, embeddings: Array) -> Array:
        """Give logits, [tracks, classes]."""
        found: Array = ((embeddings - self.mean) * self.scale) @ self.weights + self.bias
        return found

    def cooled(self, temperature: float) -> LinearHead:
        """Give the head whose logits are divided by a temperature."""
        weights, bias = self.weights / temperature, self.bias / temperature
        return LinearHead(self.mean, self.scale, weights, bias, self.kind)


def probabilities_of(logits: Array, kind: str) -> Array:
    """Give softmax or sigmoid of logits."""
    from scipy.special import expit, softmax

    found: Array = softmax(logits, axis=1) if kind == MULTI_CLASS else expit(logits)
    return found


class Rotation:
    """Embeddings standardised and turned into their own principal axes, all of which are kept.

    A rotation changes nothing for logistic regression with an L2 penalty, and of fifty tracks it
    leaves fifty numbers out of two thousand: fitting takes milliseconds.

    Parameters
    ----------
    embeddings : numpy.ndarray
        Shape [tracks, values]: of the training set.
    """

    def __init__(self, embeddings: Array) -> None:
        from sklearn.decomposition import PCA  # type: ignore[import-untyped]
        from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

        self._scaler = StandardScaler().fit(embeddings.astype(np.float64))
        standardised = self._scaler.transform(embeddings.astype(np.float64))
        self._width = np.sqrt(standardised.shape[1])
        self._axes = PCA(svd_solver="full").fit(standardised)

    def turned(self, embeddings: Array) -> Array:
        """Give the features of embeddings."""
        standardised = self._scaler.transform(embeddings.astype(np.float64))
        turned: Array = self._axes.transform(standardised) / self._width
        return turned

    def head(self, weights: Array, bias: Array, kind: str) -> LinearHead:
        """Give the head on embeddings for one on features."""
        back = self._axes.components_.T @ weights / self._width
        offset = bias - self._axes.mean_ @ back
        return LinearHead(self._scaler.mean_, 1 / self._scaler.scale_, back, offset, kind)


def regress(
    features: Array, truth: Array, kind: str, strength: float, tolerance: float = 1e-4
) -> tuple[Array, Array]:
    """Fit logistic regression.

    Parameters
    ----------
    features : numpy.ndarray
        Shape [tracks, features].
    truth : numpy.ndarray
        bool, shape [tracks, classes].
    kind : str
        Multinomial for one label a track, else one regression for each label.
    strength : float
        Inverse strength of the L2 penalty: scikit-learn's ``C``.
    tolerance : float
        At which the search ends: scikit-learn's ``tol``.

    Returns
    -------
    weights : numpy.ndarray
        Shape [features, classes].
    bias : numpy.ndarray
        Shape [classes].
    """
    width, classes = features.shape[1], truth.shape[1]
    if kind != MULTI_CLASS:
        columns = [_binary(features, column, strength, tolerance) for column in truth.T]
        return np.stack([weights for weights, _ in columns], 1), np.array([b for _, b in columns])
    weights, bias = np.zeros((width, classes)), np.full(classes, _NEVER)
    there = np.flatnonzero(truth.any(axis=0))
    if len(there) == 1:
        bias[there] = 0
    elif len(there) == 2:
        found, offset = _binary(features, truth[:, there[1]], strength, tolerance)
        weights[:, there[1]], bias[there] = found, (0, offset)
    else:
        model = _fit(features, truth.argmax(axis=1), strength, tolerance)
        weights[:, there], bias[there] = model.coef_.T, model.intercept_
    return weights, bias


def _binary(
    features: Array, column: Array, strength: float, tolerance: float
) -> tuple[Array, float]:
    if column.all() or not column.any():
        return np.zeros(features.shape[1]), -_NEVER if column.all() else _NEVER
    model = _fit(features, column, strength, tolerance)
    return model.coef_[0], float(model.intercept_[0])


def _fit(features: Array, target: Array, strength: float, tolerance: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    with warnings.catch_warnings():
        # The weakest penalties may not settle; their log loss does not win either.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, max_iter=1000, tol=tolerance)
        return model.fit(features, target)


def folds_of(
    truth: Array, groups: Sequence[int], seed: int, most: int | None = None
) -> list[tuple[Array, Array]]:
    """Divide tracks into folds; a group is never on both sides.

    Parameters
    ----------
    truth : numpy.ndarray
        bool, shape [tracks, classes].
    groups : sequence of int
        Group of each track.
    seed : int
    most : int, optional
        Folds at the most; None is 10, or 5 for 200 tracks and more.

    Returns
    -------
    list of tuple
        Indices of the training and the test tracks. Each training side has tracks with and without
        each class.

    Raises
    ------
    InvalidArgumentError
        There is no such division.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold  # type: ignore[import-untyped]

    numbers = np.asarray(groups)
    rarest = truth.sum(axis=0)
    # The rarest label of each track is the hardest to deal out.
    target = np.where(truth, rarest, np.iinfo(int).max).argmin(axis=1)
    target = np.where(truth.any(axis=1), target, truth.shape[1])
    most = most or (MOST_FOLDS if len(truth) < _MANY else _FOLDS_OF_MANY)
    for count in range(min(most, len(np.unique(numbers))), 1, -1):
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes smaller than folds
            try:
                folds = list(splitter.split(truth, target, numbers))
            except ValueError:
                continue  # no class has so many tracks
        if _are_whole(truth, folds):
            return folds
    if len(np.unique(numbers)) > 1:
        folds = list(LeaveOneGroupOut().split(truth, target, numbers))
        if _are_whole(truth, folds):
            return folds
    raise InvalidArgumentError(
        f"{len(np.unique(numbers))} groups cannot be divided so that both sides have every class; "
        "wanted more groups"
    )


def _are_whole(truth: Array, folds: list[tuple[Array, Array]]) -> bool:
    return all(
        len(test) and truth[train].any(axis=0).all() and not truth[train].all(axis=0).any()
        for train, test in folds
    )


def _inner_folds(truth: Array, groups: Sequence[int], seed: int) -> list[tuple[Array, Array]]:
    """Divide a training set to choose the strength: by its groups as far as they go.

    Where a class is of one group, some training sides lack it. Tracks that are all of one group are
    dealt out singly: the test side of the outer fold has none of it either way.
    """
    from sklearn.model_selection import GroupKFold

    try:
        return folds_of(truth, groups, seed, _INNER_FOLDS)
    except InvalidArgumentError:
        pass
    count = min(_INNER_FOLDS, len(set(groups)))
    if count > 1:
        return list(GroupKFold(count).split(truth, groups=groups))
    try:
        return folds_of(truth, range(len(truth)), seed, _INNER_FOLDS)
    except InvalidArgumentError:
        return []


def best_strength(
    features: Array, truth: Array, groups: Sequence[int], kind: str, seed: int
) -> float:
    """Choose the strength by cross-validated log loss, of classes that a training side has.

    Parameters
    ----------
    features : numpy.ndarray
        As `Rotation` gives them: of the training set, which labels had no part in.
    truth, groups, kind, seed
        See `regress` and `folds_of`.

    Returns
    -------
    float
        One of `STRENGTHS`; the middle one where nothing can be divided.
    """
    losses = np.zeros(len(STRENGTHS))
    for train, test in _inner_folds(truth, groups, seed):
        there = truth[train].any(axis=0)
        if kind == MULTI_CLASS:
            rows = test[truth[test][:, there].any(axis=1)]
        else:
            there &= ~truth[train].all(axis=0)
            rows = test
        if not there.any() or len(rows) == 0:
            continue
        for index, strength in enumerate(STRENGTHS):
            weights, bias = regress(features[train], truth[train], kind, strength)
            found = probabilities_of(features[rows] @ weights + bias, kind)
            losses[index] += log_loss_of(truth[rows][:, there], found[:, there], kind) * len(rows)
    if not losses.any():
        return STRENGTHS[len(STRENGTHS) // 2]
    return STRENGTHS[int(losses.argmin())]


def fit_head(
    embeddings: Array, truth: Array, groups: Sequence[int], kind: str, seed: int
) -> tuple[LinearHead, float]:
    """Fit a head; the strength of its penalty is chosen inside.

    Parameters
    ----------
    embeddings : numpy.ndarray
        Shape [tracks, values].
    truth, groups, kind, seed
        See `regress` and `folds_of`.

    Returns
    -------
    LinearHead
    float
        The strength.
    """
    from threadpoolctl import threadpool_limits

    # Of matrices so small, several threads wait for each other more than they compute.
    with threadpool_limits(1):
        rotation = Rotation(embeddings)
        features = rotation.turned(embeddings)
        strength = best_strength(features, truth, groups, kind, seed)
        weights, bias = regress(features, truth, kind, strength, _EXACT)
        return rotation.head(weights, bias, kind), strength


def out_of_fold(
    embeddings: Array, truth: Array, groups: Sequence[int], kind: str, seed: int
) -> Iterator[tuple[Array, Array]]:
    """Predict each track by a head that was fitted, strength and all, without its group.

    Yields
    ------
    test : numpy.ndarray
        Indices of a fold's tracks.
    logits : numpy.ndarray
        Shape [tracks of the fold, classes].
    """
    numbers = np.asarray(groups)
    for train, test in folds_of(truth, groups, seed):
        head, _ = fit_head(embeddings[train], truth[train], numbers[train].tolist(), kind, seed)
        yield test, head.logits(embeddings[test])


def temperature_of(logits: Array, truth: Array, kind: str) -> float:
    """Find what logits are to be divided by for the lowest log loss (Guo et al., 2017)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: log_loss_of(truth, probabilities_of(logits / np.exp(log), kind), kind),
        bounds=_TEMPERATURES,
        method="bounded",
    )
    return float(np.exp(found.x))
