"""A linear head on embeddings by logistic regression: what a fine-tuning starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from essentia_maest.errors import InvalidArgumentError
from essentia_maest.heads.fitting import LinearHead, folds_of
from essentia_maest.reading.head_description import MULTI_LABEL
from training.recipe.threads import one_thread

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse strengths of the penalty to choose from, scikit-learn's C; inputs have a variance of one
over their number, so that a strength means the same for embeddings of any length."""
_FIRST = 3.0  # of them: by which blocks are compared
_FOLDS = 5
_BIAS_PENALTY = 1e-6  # keeps the bias of a class without tracks finite
_STEPS = 200
_ROUGH, _EXACT = 1e-4, 1e-7  # largest gradients at which a search ends: to compare, and to keep


@dataclass(frozen=True)
class Examples:
    """Segments that a head is learnt from.

    Parameters
    ----------
    embeddings : ndarray of float32 [segments, blocks, values]
    tracks : ndarray of int64 [segments]
        The track of each, as a row of what follows.
    targets : ndarray of float32 [tracks, classes]
        0 to 1, NaN where unknown.
    weights : ndarray of float64 [tracks]
        How much each track counts: all its segments together.
    groups : sequence of int [tracks]
        Tracks that are not to be on both sides of a division.
    """

    embeddings: NDArray[np.float32]
    tracks: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float64]
    groups: Sequence[int]

    def of(self, tracks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the segments of some tracks."""
        return np.flatnonzero(np.isin(self.tracks, tracks))

    @property
    def segment_weights(self) -> NDArray[np.float64]:
        """How much each segment counts; all together 1."""
        shared: NDArray[np.float64] = (self.weights / np.bincount(self.tracks))[self.tracks]
        normalised: NDArray[np.float64] = shared / shared.sum()
        return normalised


# Of matrices so small, several threads wait for each other more than they compute.
@one_thread()
def losses_by_block(examples: Examples, seed: int) -> NDArray[np.float64]:
    """Give the cross-validated loss of a head on each block, [blocks]."""
    folds = list(_folds(examples, seed))
    return np.array(
        [
            _validated(examples, place, _FIRST, folds)
            for place in range(examples.embeddings.shape[1])
        ]
    )


@one_thread()
def best_head(examples: Examples, place: int, seed: int) -> tuple[LinearHead, float]:
    """Fit a head on one block; the strength of its penalty is chosen by cross-validation.

    Parameters
    ----------
    examples : Examples
    place : int
        Of the block among those of the embeddings.
    seed : int
        Of the division into folds.

    Returns
    -------
    LinearHead
    float
        The strength.
    """
    folds = list(_folds(examples, seed))
    losses = [_validated(examples, place, strength, folds) for strength in STRENGTHS]
    strength = STRENGTHS[int(np.argmin(losses))] if folds else _FIRST
    everything = np.arange(len(examples.tracks))
    return _fit(examples, place, everything, strength, _EXACT), strength


def _folds(examples: Examples, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Divide the segments, by groups where there are several; none of a single track."""
    from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

    truth = np.nan_to_num(examples.targets) >= 0.5
    truth = truth[:, truth.any(axis=0)]
    groups = np.asarray(examples.groups)
    if len(np.unique(groups)) == 1:
        groups = np.arange(len(truth))
    if len(groups) < 2:
        return
    try:
        divided = folds_of(truth, groups.tolist(), seed, _FOLDS)
    except InvalidArgumentError:  # some class is of one group
        count = min(_FOLDS, len(np.unique(groups)))
        divided = list(GroupKFold(count).split(truth, groups=groups))
    for train, test in divided:
        yield examples.of(train), examples.of(test)


def _validated(
    examples: Examples,
    place: int,
    strength: float,
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> float:
    """Give the loss on held-out segments, over the classes that there was something to learn of."""
    total = weight = 0.0
    for train, test in folds:
        head = _fit(examples, place, train, strength, _ROUGH)
        logits = torch.from_numpy(head.logits(examples.embeddings[test, place]))
        learnt = torch.from_numpy(examples.targets[examples.tracks[train]])
        there = (learnt > 0).any(0) & (learnt < 1).any(0)
        targets, weights = _weighted(examples, test)
        losses = binary_cross_entropy_with_logits(logits, targets, reduction="none")
        weights = weights * there
        total += float((losses * weights).sum())
        weight += float(weights.sum())
    return total / weight if weight else float("nan")


def _weighted(examples: Examples, segments: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """Give targets and what they count, [segments, classes]; unknown ones count nothing."""
    targets = torch.from_numpy(examples.targets[examples.tracks[segments]]).double()
    known = ~targets.isnan()
    weights = torch.from_numpy(examples.segment_weights[segments])[:, None] * known
    return targets.nan_to_num(), weights


def _fit(
    examples: Examples,
    place: int,
    segments: NDArray[np.int64],
    strength: float,
    tolerance: float,
) -> LinearHead:
    """Minimise the loss that training minimises, and an L2 penalty: convex, so from anywhere."""
    embeddings = examples.embeddings[segments, place].astype(np.float64)
    mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0)
    scale = 1 / np.where(deviation > 0, deviation, 1) / np.sqrt(embeddings.shape[1])
    inputs = torch.from_numpy((embeddings - mean) * scale)
    targets, weights = _weighted(examples, segments)
    tracks = len(np.unique(examples.tracks[segments]))
    share = float(examples.segment_weights[segments].sum())
    learnt = torch.zeros(
        (inputs.shape[1] + 1, targets.shape[1]), dtype=torch.float64, requires_grad=True
    )
    search = torch.optim.LBFGS(
        [learnt],
        max_iter=_STEPS,
        history_size=20,
        tolerance_grad=tolerance,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        logits = torch.addmm(learnt[-1], inputs, learnt[:-1])
        each = binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
        penalty = learnt[:-1].square().sum() / (2 * strength * tracks)
        whole = each / share + penalty + _BIAS_PENALTY * learnt[-1].square().sum()
        whole.backward()  # type: ignore[no-untyped-call]
        return whole

    search.step(loss)  # type: ignore[no-untyped-call]
    found = learnt.detach().numpy()
    return LinearHead(mean, scale, found[:-1], found[-1], MULTI_LABEL)
