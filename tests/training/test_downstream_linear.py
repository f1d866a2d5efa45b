"""Linear probes: what they find, what they leave alone, what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from training.downstream.linear import STRENGTHS, probe
from training.errors import DataError

CLASSES = ("Genre---Rock", "Genre---Folk", "Tempo---fast")
SPLITS = np.array(["train"] * 120 + ["validation"] * 60 + ["test"] * 60)


def _data(values: int = 12, seed: int = 0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(len(SPLITS), values)).astype(np.float32)
    features = 5 + features * np.logspace(-3, 3, values, dtype=np.float32)
    hidden = (features - 5) / np.logspace(-3, 3, values)
    logits = hidden @ random.normal(size=(values, len(CLASSES))) - 1
    targets = (logits + random.normal(size=logits.shape) > 0).astype(np.float32)
    targets[::3, 2] = np.nan
    return features, targets


def _test_scores(scores, targets, column):
    truth = targets[SPLITS == "test", column]
    known = ~np.isnan(truth)
    return roc_auc_score(truth[known], scores[known, column])


def test_probes_find_what_is_linear_whatever_its_scale():
    features, targets = _data()
    scores = probe(features, targets, CLASSES, SPLITS)
    assert scores.shape == (60, 3)
    assert scores.dtype == np.float32
    for column in range(3):
        assert _test_scores(scores, targets, column) > 0.8
    np.testing.assert_array_equal(scores, probe(features, targets, CLASSES, SPLITS))


@pytest.mark.slow
def test_the_strength_is_the_best_of_a_family_on_validation():
    features, targets = _data(values=100)
    scores = probe(features, targets, CLASSES, SPLITS)
    train, validation, test = (np.equal(SPLITS, name) for name in ("train", "validation", "test"))
    for members in ([0, 1], [2]):
        tried = []
        for strength in STRENGTHS:
            precisions, answers = [], []
            for column in members:
                known = ~np.isnan(targets[:, column])
                model = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
                # all tracks of the split scale, annotated ones teach
                scaler = StandardScaler().fit(features[train])
                model = make_pipeline(scaler, model)
                scaled = scaler.transform(features)
                model[-1].fit(scaled[train & known], targets[train & known, column])
                answer = model[-1].decision_function(scaled)
                rows = validation & known
                precisions.append(average_precision_score(targets[rows, column], answer[rows]))
                answers.append(answer[test])
            tried.append((np.mean(precisions), np.stack(answers, 1)))
        best = max(range(len(tried)), key=lambda number: tried[number][0])
        close = [np.allclose(scores[:, members], one, rtol=0.02, atol=0.02) for _, one in tried]
        assert close == [number == best for number in range(len(tried))]


def test_the_test_splits_targets_are_not_looked_at():
    features, targets = _data()
    expected = probe(features, targets, CLASSES, SPLITS)
    targets[SPLITS == "test"] = np.nan
    np.testing.assert_array_equal(probe(features, targets, CLASSES, SPLITS), expected)


def test_the_order_of_tracks_is_kept():
    features, targets = _data()
    expected = probe(features, targets, CLASSES, SPLITS)
    order = np.random.default_rng(1).permutation(len(SPLITS))
    found = probe(features[order], targets[order], CLASSES, SPLITS[order])
    rows = np.flatnonzero(SPLITS == "test")
    position = {row: number for number, row in enumerate(rows)}
    shuffled = [position[row] for row in order if row in position]
    np.testing.assert_allclose(found, expected[shuffled], rtol=0.02, atol=0.02)


def test_a_class_that_cannot_be_learnt_is_unknown():
    features, targets = _data()
    targets[SPLITS == "train", 1] = 0
    expected = probe(features, targets[:, [0]], CLASSES[:1], SPLITS)
    scores = probe(features, targets, CLASSES, SPLITS)
    assert np.isnan(scores[:, 1]).all()
    np.testing.assert_array_equal(scores[:, 0], expected[:, 0])


def test_a_family_that_validation_lacks_is_learnt_all_the_same():
    features, targets = _data()
    targets[SPLITS == "validation", 2] = 0
    scores = probe(features, targets, CLASSES, SPLITS)
    assert _test_scores(scores, targets, 2) > 0.8


def test_features_that_never_change_do_no_harm():
    features, targets = _data()
    expected = probe(features, targets, CLASSES, SPLITS)
    still = np.concatenate([features, np.full((len(features), 2), 7, np.float32)], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = probe(still, targets, CLASSES, SPLITS)
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)


def _gap(features, targets, splits):
    features[4, 1] = np.nan


def _soft(features, targets, splits):
    targets[4, 1] = 0.25


def _split(features, targets, splits):
    splits[splits == "validation"] = "dev"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_gap, "features of 1 tracks are not finite, the first is track 4"),
        (_soft, "soft labels cannot be learnt"),
        (_split, "splits are dev, test, train; wanted"),
    ],
)
def test_wrong_values_are_refused(spoil, message: str):
    features, targets = _data()
    splits = SPLITS.copy()
    spoil(features, targets, splits)
    with pytest.raises(DataError, match=message):
        probe(features, targets, CLASSES, splits)


def test_wrong_sizes_are_refused():
    features, targets = _data()
    with pytest.raises(DataError, match=r"features are \[239, 12\]; wanted \[240 tracks"):
        probe(features[1:], targets, CLASSES, SPLITS)
    with pytest.raises(DataError, match=r"targets are \[240, 2\]; wanted .* 3 classes"):
        probe(features, targets[:, 1:], CLASSES, SPLITS)
