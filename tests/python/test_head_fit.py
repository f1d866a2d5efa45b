"""Fitting a head: scikit-learn's numbers, the same twice, the same in the file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import essentia_maest as maest
from essentia_maest.heads.examples import examples_of
from essentia_maest.heads.fit import fit, score_head
from essentia_maest.heads.fitting import (
    STRENGTHS,
    best_strength,
    fit_head,
    probabilities_of,
)
from essentia_maest.heads.labels import read_labels
from essentia_maest.heads.lines import lines_of
from essentia_maest.heads.scores import scores_of, weighted_scores
from essentia_maest.heads.writing import checked_head_file
from head_fixtures import OPTIONS, SHA256, labelled

KINDS = ("multi-class", "multi-label")


def example_scores(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities, many of which are equal."""
    rng = np.random.default_rng(seed)
    truth = np.eye(4, dtype=bool)[rng.integers(0, 4, 60)]
    return truth, np.round(rng.dirichlet(np.ones(4), 60) + 0.3 * truth, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_many_draws_are_scikit_learns(kind):
    truth, found = example_scores(1)
    weights = np.random.default_rng(2).integers(1, 4, (5, 60)).astype(float)
    many = weighted_scores(truth, found, weights, kind)
    for draw, weight in enumerate(weights):
        for name, score in (("ROC-AUC", roc_auc_score), ("mAP", average_precision_score)):
            columns = [
                score(truth[:, index], found[:, index], sample_weight=weight) for index in range(4)
            ]
            assert many[name][draw] == pytest.approx(np.mean(columns), abs=1e-12)
    once = weighted_scores(truth, found, np.ones((1, 60)), kind)
    for name, score in scores_of(truth, found, list(range(60)), kind, 0).items():
        assert once[name][0] == pytest.approx(score.value, abs=1e-12)
        assert score.low < score.value < score.high


def test_a_draw_without_a_class_scores_the_others():
    truth, found = example_scores(3)
    weights = np.where(truth[:, 0], 0.0, 1.0)[None]
    kept = ~truth[:, 0]
    wanted = [roc_auc_score(truth[kept, index], found[kept, index]) for index in (1, 2, 3)]
    many = weighted_scores(truth, found, weights, "multi-label")
    assert many["ROC-AUC"][0] == pytest.approx(np.mean(wanted), abs=1e-12)


def test_intervals_are_wider_where_groups_are_larger():
    truth, found = example_scores(4)
    alone = scores_of(truth, found, list(range(60)), "multi-class", 0)["accuracy"]
    grouped = scores_of(truth, found, [row // 15 for row in range(60)], "multi-class", 0)
    assert alone.baseline == max(truth.mean(axis=0))
    assert grouped["accuracy"].value == alone.value
    same = scores_of(truth, found, list(range(60)), "multi-class", 0)["accuracy"]
    assert same == alone


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_is_scikit_learns_logistic_regression(kind, classes):
    rng = np.random.default_rng(5)
    values = (rng.standard_normal((40, 90)) * rng.uniform(0.1, 50, 90)).astype(np.float32)
    truth = np.eye(classes, dtype=bool)[rng.integers(0, classes, 40)]
    head, strength = fit_head(values, truth, list(range(40)), kind, 0)
    found = probabilities_of(head.logits(values), kind)

    def oracle(target):
        model = LogisticRegression(C=strength / 90, tol=1e-10, max_iter=10000)
        return make_pipeline(StandardScaler(), model).fit(values.astype(float), target)

    if kind == "multi-class":
        wanted = oracle(truth.argmax(axis=1)).predict_proba(values)
    else:
        wanted = np.stack([oracle(column).predict_proba(values)[:, 1] for column in truth.T], 1)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_head_is_written_as_it_was_fitted(tmp_path):
    results, labels, names = labelled(tmp_path)
    account = fit(labels, results, tmp_path / "style.onnx")
    head = maest.Head(tmp_path / "style.onnx")
    assert head.labels == account.classes == ("folk", "rock", "techno")
    assert head.kind == "multi-class"
    assert head.embedding.model_sha256 == SHA256
    assert (head.embedding.block, head.embedding.tokens) == (7, ("cls", "dist", "avg"))
    embeddings, _ = results.embeddings()
    examples, _ = examples_of(labels, results)
    fitted, _ = fit_head(
        examples.embeddings, examples.truth, [n // 4 for n in range(48)], head.kind, 0
    )
    wanted = probabilities_of(
        fitted.cooled(account.calibration.temperature).logits(embeddings), head.kind
    )
    np.testing.assert_allclose(head.predict(embeddings), wanted, atol=1e-5)
    # Each track was predicted without its album: worse than what it was fitted on, and no chance.
    own = np.mean(head.predict(embeddings).argmax(axis=1) == examples.truth.argmax(axis=1))
    assert account.scores["accuracy"].baseline < account.scores["accuracy"].value < own
    assert account.table.sum() == 48
    beside = json.loads((tmp_path / "style.json").read_text())
    assert beside == head.info
    assert beside["classes"] == list(head.labels)
    assert beside["schema"]["outputs"][0]["output_purpose"] == "predictions"
    told = beside["inference"]["embedding_model"]
    assert (told["model_name"], told["sha256"], told["block"]) == ("tiny", SHA256, 7)
    assert told["patchout"] == OPTIONS["patchout"]
    assert (
        beside["dataset"]["metrics"]["scores"]["accuracy"]["value"]
        == account.scores["accuracy"].value
    )
    text = "\n".join(lines_of(account))
    assert "48 tracks, 12 groups, 3 classes (multi-class)" in text
    assert len(names) == 48


def test_the_same_seed_gives_the_same_file(tmp_path):
    results, labels, _ = labelled(tmp_path, 24, ("folk", "rock"))
    files = []
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / folder).mkdir()
        fit(labels, results, tmp_path / folder / "head.onnx", seed=seed)
        files.append((tmp_path / folder / "head.onnx").read_bytes())
    assert files[0] == files[1] != files[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_of_one_group_does_not_stop_the_choice_of_the_penalty(kind):
    """As in a training set that lost one of a class's two groups."""
    rng = np.random.default_rng(6)
    truth = np.eye(3, dtype=bool)[np.repeat([0, 1, 2], 8)]
    groups = [0] * 8 + [row % 4 for row in range(16)]
    features = rng.standard_normal((24, 5)) / 5 + truth @ rng.standard_normal((3, 5))
    with threadpool_limits(1):
        assert best_strength(features, truth, groups, kind, 0) in STRENGTHS
        assert best_strength(features, truth, [0] * 24, kind, 0) in STRENGTHS


def test_several_labels_a_file(tmp_path):
    results, _, names = labelled(tmp_path, 24)
    rows = [
        f"album{number // 4}/{number}.mp3,{name}|{'old' if number % 8 < 4 else 'new'}"
        for number, name in enumerate(names)
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["path,tags", *rows]))
    account = fit(read_labels(tmp_path / "labels.csv"), results, tmp_path / "tags.onnx")
    head = maest.Head(tmp_path / "tags.onnx")
    assert head.kind == "multi-label"
    assert head.labels == ("folk", "new", "old", "rock", "techno")
    found = head.predict(results.embeddings()[0])
    assert not np.allclose(found.sum(axis=1), 1, atol=0.1)
    assert account.table is None
    assert set(account.scores) == {"ROC-AUC", "mAP"}
    assert account.scores["ROC-AUC"].baseline == 0.5


def test_a_head_is_tested_on_other_tracks(tmp_path):
    results, labels, names = labelled(tmp_path)
    fit(labels, results, tmp_path / "style.onnx")
    head = maest.Head(tmp_path / "style.onnx")
    account = score_head(head, labels, results)
    found = head.predict(results.embeddings()[0])
    right = [head.labels[row] for row in found.argmax(axis=1)]
    assert account.scores["accuracy"].value == np.mean(np.array(right) == np.array(names))
    assert account.folds == 0
    (tmp_path / "other.csv").write_text("path,label\nalbum0/0.mp3,polka\nalbum1/4.mp3,rock\n")
    with pytest.raises(maest.InvalidArgumentError, match="labels polka; the head knows folk, rock"):
        score_head(head, read_labels(tmp_path / "other.csv"), results)


def test_what_cannot_be_fitted(tmp_path):
    results, _, _ = labelled(tmp_path)
    with pytest.raises(maest.InvalidArgumentError, match="ends in .onnx"):
        checked_head_file(tmp_path / "head.txt")
    (tmp_path / "one.csv").write_text(
        "path,label\n" + "\n".join(f"album{n // 4}/{n}.mp3,x" for n in range(8))
    )
    with pytest.raises(maest.InvalidArgumentError, match="found the class 'x' alone"):
        fit(read_labels(tmp_path / "one.csv"), results, tmp_path / "head.onnx")
    (tmp_path / "far.csv").write_text("path,label\nno.mp3,x\n")
    with pytest.raises(maest.InvalidArgumentError, match="none of the 1 labelled files is in"):
        fit(read_labels(tmp_path / "far.csv"), results, tmp_path / "head.onnx")
    assert not (tmp_path / "head.onnx").exists()
