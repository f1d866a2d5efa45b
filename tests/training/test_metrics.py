"""Scores against scikit-learn, with classes and targets that cannot be scored."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from training.recipe.metrics import score


def data(tracks: int = 400, classes: int = 6) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
    rng = np.random.default_rng(3)
    targets = (rng.random((tracks, classes)) < 0.15).astype(np.float32)
    # A grid of few values, so that there are ties.
    logits = np.round(rng.normal(size=(tracks, classes)) + targets, 1).astype(np.float32)
    names = [f"class {i}" for i in range(classes)]
    return torch.from_numpy(logits), torch.from_numpy(targets), names


def test_equal_to_scikit_learn() -> None:
    logits, targets, names = data()
    found = score(logits, targets, names)
    truth, scores = targets.numpy(), logits.numpy()
    assert found.mean_average_precision == pytest.approx(
        average_precision_score(truth, scores, average="macro"), abs=1e-6
    )
    assert found.roc_auc == pytest.approx(roc_auc_score(truth, scores, average="macro"), abs=1e-6)
    each = average_precision_score(truth, scores, average=None)
    assert list(found.average_precision.values()) == pytest.approx(each.tolist(), abs=1e-6)
    assert found.skipped == {}


def test_unknown_targets_are_left_out_class_by_class() -> None:
    logits, targets, names = data()
    targets[:100, 1] = float("nan")
    targets[50:300, 4] = float("nan")
    found = score(logits, targets, names)
    for index, name in enumerate(names):
        known = ~targets[:, index].isnan()
        expected = average_precision_score(targets[known, index], logits[known, index])
        assert found.average_precision[name] == pytest.approx(expected, abs=1e-6)


def test_classes_without_positives_or_negatives_are_named_not_counted() -> None:
    logits, targets, names = data()
    targets[:, 0] = 0.0
    targets[:, 2] = 1.0
    targets[:, 3] = float("nan")
    found = score(logits, targets, names)
    assert found.skipped == {
        "class 0": "no positives",
        "class 2": "no negatives",
        "class 3": "no positives",
    }
    rest = [1, 4, 5]
    assert found.mean_average_precision == pytest.approx(
        average_precision_score(targets[:, rest], logits[:, rest], average="macro"), abs=1e-6
    )
    nothing = score(logits, torch.zeros_like(targets), names)
    assert math.isnan(nothing.mean_average_precision)
    assert len(nothing.skipped) == len(names)
    assert math.isfinite(nothing.loss)


def test_soft_labels_count_from_one_half() -> None:
    logits, targets, names = data()
    soft = torch.where(targets > 0, 0.5, 0.49)
    assert score(logits, soft, names).average_precision == pytest.approx(
        score(logits, targets, names).average_precision
    )


def test_confident_predictions_keep_their_order() -> None:
    logits = torch.tensor([[30.0], [25.0], [20.0], [-40.0]])
    targets = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
    found = score(logits, targets, ["only"])
    assert found.mean_average_precision == 1.0
    assert found.roc_auc == 1.0
