"""What is done with a trained network: scores, activations for a student, curves."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

import training.run.teach
from run_fixtures import make_dataset, make_experiment
from spectrogram_fixtures import make_store
from training.config import AveragingConfig, Experiment, TeacherConfig
from training.data.segments import normalised_segment
from training.data.store import SpectrogramStore
from training.data.teacher_activations import TeacherTargets, hard_targets, read_record
from training.errors import CheckpointError, DataError
from training.model.sizes import segment_frames
from training.recipe.metrics import Scores
from training.run.checkpoint import load_checkpoint
from training.run.curves import curves
from training.run.evaluate import evaluate
from training.run.fit import fit
from training.run.inference import Computing, load_trained
from training.run.teach import teach

COMPUTING = Computing(batch=7, workers=0, accelerator="cpu")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of one to three segments of 56 frames."""
    return make_dataset(tmp_path_factory.mktemp("trained") / "dataset", families=False)


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    fit(make_experiment(dataset, folder, epochs=3))
    return folder


def by_hand(run: Path, store: SpectrogramStore, track: int) -> np.ndarray:
    """Mean activations of the full segments of a track, one by one."""
    network = load_trained(run / "final.ckpt", averaged=True).network
    frames = segment_frames(1.0)
    hop = frames - 6  # a segment has 6 frames more than the columns of its grid step over
    starts = range(0, max(1, int(store.frames[track]) - frames + 1), hop)
    mels = torch.stack([normalised_segment(store, track, start, frames) for start in starts])
    with torch.no_grad():
        return network(mels).logits.double().sigmoid().mean(0).numpy()


@pytest.mark.slow
def test_evaluation_averages_all_windows(dataset: Path, run: Path, tmp_path: Path) -> None:
    store = SpectrogramStore(dataset)
    indices = store.indices("test")
    found = evaluate(run / "final.ckpt", tmp_path / "scores.json", computing=COMPUTING)
    scores = np.stack([by_hand(run, store, int(index)) for index in indices])
    truth = np.stack([store.targets(int(index)) for index in indices])
    assert found.mean_average_precision == pytest.approx(
        average_precision_score(truth, scores, average="macro"), abs=1e-6
    )
    assert found.roc_auc == pytest.approx(roc_auc_score(truth, scores, average="macro"), abs=1e-6)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["mean_average_precision"] == found.mean_average_precision
    assert written["average_precision"].keys() == set(store.classes)
    assert (written["split"], written["tracks"]) == ("test", len(indices))


def test_batches_and_other_statistics_change_nothing(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    first = evaluate(run / "final.ckpt", computing=COMPUTING)
    other = evaluate(run / "final.ckpt", computing=replace(COMPUTING, batch=1))
    assert first.loss == pytest.approx(other.loss, abs=1e-6)
    # The same tracks in a data set whose mean and standard deviation are said to be others.
    description = json.loads((dataset / "dataset.json").read_text())
    description["mean"], description["std"] = 1.0, 3.0
    for path in dataset.iterdir():
        if path.name != "dataset.json":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    moved = evaluate(run / "final.ckpt", dataset=tmp_path, computing=COMPUTING)
    assert moved.loss == pytest.approx(first.loss, abs=1e-5)


def test_checkpoints_and_data_sets_that_do_not_fit(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        evaluate(tmp_path / "none.ckpt", computing=COMPUTING)
    never = AveragingConfig(start=None)
    fit(make_experiment(dataset, tmp_path / "short", epochs=1, averaging=never))
    with pytest.raises(CheckpointError, match="no averaged weights yet"):
        evaluate(tmp_path / "short" / "final.ckpt", computing=COMPUTING)
    evaluate(tmp_path / "short" / "final.ckpt", averaged=False, computing=COMPUTING)
    make_store(tmp_path / "other", classes=5)
    with pytest.raises(DataError, match="its 5 classes are not the 4"):
        evaluate(run / "final.ckpt", dataset=tmp_path / "other", computing=COMPUTING)


def test_unscorable_classes_are_told(
    dataset: Path, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    few = make_dataset(tmp_path / "few", tracks=4)
    with caplog.at_level(logging.INFO):
        found = evaluate(run / "final.ckpt", dataset=few, computing=COMPUTING)
    assert found.skipped
    assert f"{len(found.skipped)} classes cannot be scored" in caplog.text


def test_scores_that_are_not_defined_are_null(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Scores(0.5, math.nan, math.nan, {}, {"a": "no positive track"})
    monkeypatch.setattr("training.run.evaluate.score", lambda *_: nothing)
    evaluate(run / "final.ckpt", tmp_path / "scores.json", computing=COMPUTING)
    text = (tmp_path / "scores.json").read_text()
    found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["loss"], found["mean_average_precision"], found["roc_auc"]) == (0.5, None, None)


def test_hard_targets_are_the_references() -> None:
    activations = np.array([[0.5, 0.44, 0.46], [0.1, 0.45, 0.2], [0.45, 0.45, 0.0]])
    assert hard_targets(activations, 0.45).tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_a_teacher_writes_what_it_says_of_every_track(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    output = tmp_path / "teacher.npy"
    teach(run / "final.ckpt", output, computing=COMPUTING)
    values = np.load(output)
    store = SpectrogramStore(dataset)
    assert (values.dtype, values.shape) == (np.float16, (60, 4))
    for track in (0, 13, 59):
        np.testing.assert_allclose(values[track], by_hand(run, store, track), atol=1e-3)
    targets = TeacherTargets(output, store, 0.45)
    assert targets[13].tolist() == hard_targets(values[13], 0.45).tolist()


def test_a_teacher_goes_on_where_it_was_interrupted(
    dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.run.teach, "_PORTION", 16)
    teach(run / "final.ckpt", tmp_path / "whole.npy", computing=COMPUTING)
    original, asked = training.run.teach.Predictor.activations, []

    def interrupted(self: object, indices: np.ndarray, windows: str) -> torch.Tensor:
        asked.append(int(indices[0]))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return original(self, indices, windows)

    monkeypatch.setattr(training.run.teach.Predictor, "activations", interrupted)
    output = tmp_path / "teacher.npy"
    with pytest.raises(KeyboardInterrupt):
        teach(run / "final.ckpt", output, computing=COMPUTING)
    assert read_record(output).done == 32
    with pytest.raises(DataError, match="activations of 32 of 60 tracks"):
        TeacherTargets(output, SpectrogramStore(dataset), 0.45)
    teach(run / "final.ckpt", output, computing=COMPUTING)
    assert asked == [0, 16, 32, 32, 48]
    assert np.array_equal(np.load(output), np.load(tmp_path / "whole.npy"))
    with pytest.raises(DataError, match="of another teacher"):
        teach(run / "final.ckpt", output, averaged=False, computing=COMPUTING)


def student(dataset: Path, folder: Path, activations: Path) -> Experiment:
    experiment = make_experiment(
        dataset, folder, epochs=2, teacher=TeacherConfig(activations=activations)
    )
    return replace(experiment, model=replace(experiment.model, head="separated"))


@pytest.mark.slow
def test_a_student_learns_with_its_distillation_token(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    output = tmp_path / "teacher.npy"
    teach(run / "final.ckpt", output, computing=COMPUTING)
    experiment = student(dataset, tmp_path / "student", output)
    fit(experiment)
    trained = load_checkpoint(tmp_path / "student" / "final.ckpt").network
    assert trained["head_dist.weight"].abs().max() > 0
    # Other activations, other weights: they are what the token learns from.
    np.save(tmp_path / "other.npy", 1 - np.load(output))
    (tmp_path / "other.json").write_bytes((tmp_path / "teacher.json").read_bytes())
    fit(student(dataset, tmp_path / "second", tmp_path / "other.npy"))
    second = load_checkpoint(tmp_path / "second" / "final.ckpt").network
    bias = (trained["head_dist.bias"] - second["head_dist.bias"]).abs().max()
    assert bias > 1e-3


def test_activations_of_another_data_set_are_refused(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    output = tmp_path / "teacher.npy"
    teach(run / "final.ckpt", output, computing=COMPUTING)
    other = make_dataset(tmp_path / "other", tracks=64, families=False)
    with pytest.raises(DataError, match="another data set"):
        fit(student(other, tmp_path / "run", output))
    with pytest.raises(DataError, match="no description"):
        fit(student(dataset, tmp_path / "run2", tmp_path / "none.npy"))
    output.write_bytes(output.read_bytes()[:200])
    with pytest.raises(DataError, match="cannot be read"):
        fit(student(dataset, tmp_path / "run3", output))
    with pytest.raises(DataError, match=r"\.npy"):
        teach(run / "final.ckpt", tmp_path / "x.txt", computing=COMPUTING)


def test_curves_are_drawn(run: Path, tmp_path: Path) -> None:
    assert curves(run).read_bytes()[:4] == b"\x89PNG"
    assert curves(run) == run / "curves.png"
    assert b"<svg" in curves(run, tmp_path / "c.svg").read_bytes()
    with pytest.raises(DataError, match="run's folder"):
        curves(tmp_path)
    with pytest.raises(DataError, match="bmpx"):
        curves(run, tmp_path / "c.bmpx")
