"""What a linear probe finds in features: how much they tell to those who build on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import average_precision_score  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from training.data.tracks import SPLITS, family_of
from training.errors import DataError

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Values of C to choose from: the larger, the less the weights are held back."""

_ITERATIONS = 300


def probe(
    features: NDArray[np.floating],
    targets: NDArray[np.float32],
    classes: Sequence[str],
    splits: NDArray[np.str_],
) -> NDArray[np.float32]:
    """Learn every class from features by logistic regression, and score the test split.

    A class is learnt against the rest of the training tracks that are annotated with it. How
    strongly weights are held back is chosen family by family, for the highest mean average
    precision on the validation split. Targets of the test split are not looked at.

    Parameters
    ----------
    features : float [tracks, values]
    targets : float32 [tracks, classes]
        1, 0, or NaN where unknown.
    classes : sequence of str
        A family is the text before ``---``.
    splits : str [tracks]
        train, validation or test.

    Returns
    -------
    float32 [tracks of the test split, classes]
        The higher, the likelier (log odds). NaN for a class without positives or negatives to
        learn from.

    Raises
    ------
    DataError
        When sizes do not fit, features are not finite, a target is none of 1, 0 and NaN, or a
        split is unknown or has no tracks.
    """
    _check(features, targets, classes, splits)
    train, validation, test = (np.flatnonzero(splits == split) for split in SPLITS)
    scaler = StandardScaler().fit(features[train].astype(np.float64))
    scaled = scaler.transform(features.astype(np.float64))
    held_out = np.concatenate([validation, test])

    families = np.array([family_of(name) for name in classes])
    scores = np.full((len(test), len(classes)), np.nan, np.float32)
    for family in dict.fromkeys(families.tolist()):
        members = np.flatnonzero(families == family)
        answers = np.stack(
            [_learn(scaled[train], targets[train, column], scaled[held_out]) for column in members],
            axis=2,
        )  # [strengths, tracks held out, classes of the family]
        chosen = _choose(answers[:, : len(validation)], targets[np.ix_(validation, members)])
        scores[:, members] = answers[chosen, len(validation) :]
    return scores


def _learn(
    features: NDArray[np.float64], target: NDArray[np.float32], held_out: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Learn one class with each strength, and apply that to other tracks, [strengths, tracks]."""
    known = ~np.isnan(target)
    answers = np.full((len(STRENGTHS), len(held_out)), np.nan)
    if len(np.unique(target[known])) < 2:
        return answers
    regression = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    for number, strength in enumerate(STRENGTHS):  # each starts where the one before ended
        regression.set_params(C=strength).fit(features[known], target[known])
        answers[number] = regression.decision_function(held_out)
    return answers


def _choose(answers: NDArray[np.float64], targets: NDArray[np.float32]) -> int:
    """Choose the strength with the highest mAP; the middle one where validation cannot tell."""
    precisions = []
    for column, target in enumerate(targets.T):
        known = ~np.isnan(target)
        if len(np.unique(target[known])) == 2 and not np.isnan(answers[0, 0, column]):
            precisions.append(
                [average_precision_score(target[known], one[known, column]) for one in answers]
            )
    return int(np.mean(precisions, axis=0).argmax()) if precisions else len(STRENGTHS) // 2


def _check(
    features: NDArray[np.floating],
    targets: NDArray[np.float32],
    classes: Sequence[str],
    splits: NDArray[np.str_],
) -> None:
    if features.ndim != 2 or len(features) != len(splits):
        raise DataError(
            f"features are {list(features.shape)}; wanted [{len(splits)} tracks (as splits), "
            "values]"
        )
    if targets.shape != (len(splits), len(classes)):
        raise DataError(
            f"targets are {list(targets.shape)}; wanted [{len(splits)} tracks (as splits), "
            f"{len(classes)} classes]"
        )
    wrong = np.flatnonzero(~np.isfinite(features).all(1))
    if len(wrong):
        raise DataError(
            f"features of {len(wrong)} tracks are not finite, the first is track {wrong[0]}"
        )
    if not np.isin(targets[~np.isnan(targets)], (0, 1)).all():
        raise DataError("a target is neither 1, 0 nor NaN (unknown); soft labels cannot be learnt")
    found = set(splits.tolist())
    if found != set(SPLITS):
        raise DataError(
            f"splits are {', '.join(sorted(found)) or 'none'}; wanted tracks of each of "
            f"{', '.join(SPLITS)}"
        )
