"""The head alone: what fine-tuning starts from, and what it must beat."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from spectrogram_fixtures import make_store
from test_export import save_run
from training.config import Experiment
from training.data.segments import EvaluationSegments
from training.data.store import SpectrogramStore
from training.errors import ConfigError
from training.finetuning.head_alone import make_head_alone
from training.finetuning.plan import plan_finetuning
from training.finetuning.regression import Examples, best_head, losses_by_block
from training.recipe.metrics import score
from training.run.checkpoint import load_checkpoint
from training.run.fit import fit
from training.run.inference import Computing, Predictor, load_trained
from training.run.logs import read_rows

START = {"dim": 32, "heads": 2, "depth": 4, "seconds": 1.0}
CPU = Computing(workers=0, accelerator="cpu")
GROUPS = np.arange(60)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks of several segments, some annotated for one family of classes only."""
    folder = tmp_path_factory.mktemp("head") / "dataset"
    make_store(folder, tracks=60, frames=(140, 200), families=True)
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("head") / "start", averaged=False, **START)


def planned(start: Path, dataset: Path, folder: Path, *overrides: str) -> Experiment:
    return plan_finetuning(
        start,
        dataset,
        folder / "run",
        tracks=30,
        overrides=["--recipe.sampling.tracks=32", "--run.accelerator=cpu", *overrides],
    )


@pytest.fixture(scope="module")
def head(dataset: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head")
    store = SpectrogramStore(dataset)
    experiment = planned(start, dataset, folder)
    assert make_head_alone(experiment, store, GROUPS, folder / "head.ckpt", block=1) == 1
    return folder / "head.ckpt"


def heard(start: Path, dataset: Path, split: str, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of a split's segments, and their tracks, straight from the start's tokens."""
    trained = load_trained(start, averaged=False)
    store = SpectrogramStore(dataset)
    store.normalise_by((trained.checkpoint.mean, trained.checkpoint.std))
    network = trained.network
    indices = store.indices(split)
    segments = EvaluationSegments(store, indices, network.segment_frames, "all")
    items = [segments[place] for place in range(len(segments))]
    with torch.no_grad():
        tokens = network.tokens(torch.stack([item["mel"] for item in items]), block)
    found = torch.cat([tokens[:, 0], tokens[:, 1], tokens[:, 2:].mean(1)], 1).numpy()
    return found, np.array([item["track"] for item in items])


def test_the_regression_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((40, 2)) < 0.4).astype(np.float32)
    targets[3, 1] = np.nan
    embeddings = rng.normal(size=(80, 1, 12)).astype(np.float32)
    tracks = np.repeat(np.arange(40), 2)
    embeddings[:, 0, :2] += 2 * np.nan_to_num(targets)[tracks]
    weights = rng.random(40) + 0.5
    examples = Examples(embeddings, tracks, targets, weights, list(range(40)))
    found, strength = best_head(examples, 0, seed=0)
    values = embeddings[:, 0].astype(float)
    inputs = (values - values.mean(0)) / values.std(0) / np.sqrt(12)
    for column in range(2):
        known = ~np.isnan(targets[tracks, column])
        # Its loss is a sum over rows, ours a mean over tracks.
        counts = 40 * weights[tracks] / weights[tracks].sum()
        wanted = LogisticRegression(C=strength, tol=1e-8, max_iter=1000)
        wanted.fit(inputs[known], targets[tracks, column][known], counts[known])
        theirs = wanted.decision_function(inputs)
        np.testing.assert_allclose(found.logits(values)[:, column], theirs, atol=2e-3)


def test_blocks_are_compared_by_what_they_tell_of_other_groups() -> None:
    """The second block tells the class, the first only the group, the third nothing."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 4)
    targets = np.stack([groups % 2, 1 - groups % 2], 1).astype(np.float32)
    embeddings = rng.normal(size=(80, 3, 24)).astype(np.float32)
    embeddings[np.arange(80), 0, groups] += 8
    embeddings[:, 1, 0] += 4 * targets[:, 0]
    examples = Examples(embeddings, np.arange(80), targets, np.ones(80), groups.tolist())
    losses = losses_by_block(examples, seed=0)
    assert losses.argmin() == 1
    assert losses[0] > 0.6
    assert losses[1] < 0.5


def test_few_tracks_and_classes_of_one_group_do(caplog: pytest.LogCaptureFixture) -> None:
    embeddings = np.random.default_rng(0).normal(size=(6, 2, 8)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 0, 0]]  # nothing of the third class
    for groups in ([0, 0, 1, 1, 2, 2], [0] * 6):
        examples = Examples(embeddings, np.arange(6), targets, np.ones(6), groups)
        assert np.isfinite(losses_by_block(examples, seed=0)).all()
        head, _ = best_head(examples, 1, seed=0)
        logits = head.logits(embeddings[:, 1])
        assert np.isfinite(logits).all()
        assert (logits[:, 2] < logits[:, :2].max(1)).all()


def test_the_first_validation_is_the_probe(head: Path, start: Path, dataset: Path) -> None:
    """Fitted on the start's embeddings; from there on it is the network that answers."""
    found = load_trained(head, averaged=False)
    store = SpectrogramStore(dataset)
    indices = store.indices("validation")
    activations = Predictor(found, store, CPU).activations(indices)

    state = {name: value.numpy() for name, value in found.checkpoint.network.items()}
    embeddings, tracks = heard(start, dataset, "validation", 1)
    inputs = (embeddings - state["head.0.mean"]) * state["head.0.scale"]
    logits = inputs @ state["head.1.weight"].T + state["head.1.bias"]
    wanted = [1 / (1 + np.exp(-logits[tracks == track])) for track in indices]
    np.testing.assert_allclose(activations, [one.mean(0) for one in wanted], atol=1e-5)

    # And it is the regression's optimum: no step of its own loss makes it better.
    learnt, tracks = heard(start, dataset, "train", 1)
    np.testing.assert_allclose(learnt.mean(0), state["head.0.mean"], atol=1e-4)
    assert ((learnt - state["head.0.mean"]) * state["head.0.scale"]).std(0) == pytest.approx(1)


def test_a_run_begins_with_the_head_and_keeps_it_if_training_harms(
    head: Path, dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A rate that throws everything over."""
    caplog.set_level(logging.INFO, "training")
    ruin = ["--recipe.schedule.peak=3", "--recipe.gradient_clipping=1e3", "--recipe.patience=2"]
    experiment = planned(head, dataset, tmp_path, *ruin)
    assert experiment.model.depth == 1
    fit(experiment)
    final = load_checkpoint(tmp_path / "run" / "final.ckpt")
    assert final.progress["epoch"] == 0
    begun = load_checkpoint(head).network
    assert all(torch.equal(value, begun[name]) for name, value in final.network.items())
    rows = read_rows(tmp_path / "run" / "epochs.csv")
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert (
        max(row["mean_average_precision"] for row in rows[1:]) < rows[0]["mean_average_precision"]
    )
    assert any("no better validation mAP since the start" in text for text in caplog.messages)

    store = SpectrogramStore(dataset)
    indices = store.indices("validation")
    activations = Predictor(load_trained(head, averaged=False), store, CPU).activations(indices)
    targets = torch.from_numpy(np.stack([store.targets(int(index)) for index in indices]))
    wanted = score(torch.logit(activations), targets, store.classes)
    assert rows[0]["loss"] == pytest.approx(wanted.loss, abs=1e-6)
    assert rows[0]["mean_average_precision"] == pytest.approx(wanted.mean_average_precision)


def test_a_head_is_made_once(head: Path, start: Path, dataset: Path, tmp_path: Path) -> None:
    store = SpectrogramStore(dataset)
    experiment = planned(start, dataset, tmp_path)
    before = head.read_bytes()
    assert make_head_alone(experiment, store, GROUPS, head) == 1
    assert head.read_bytes() == before
    assert (store.mean, store.std) == (1.25, 0.75)  # the start's
    with pytest.raises(ConfigError, match="a head on block 1 of .* choose another work folder"):
        make_head_alone(experiment, store, GROUPS, head, block=2)
    other = replace(
        experiment, initialisation=replace(experiment.initialisation, checkpoint=Path("other"))
    )
    with pytest.raises(ConfigError, match="wanted one of this start"):
        make_head_alone(other, store, GROUPS, head)
    with pytest.raises(ConfigError, match="--block 5: the start has blocks 1 to 4"):
        make_head_alone(experiment, store, GROUPS, tmp_path / "none.ckpt", block=5)


def test_the_block_is_chosen_where_nobody_says_it(
    start: Path, dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training")
    store = SpectrogramStore(dataset)
    experiment = planned(start, dataset, tmp_path)
    block = make_head_alone(experiment, store, GROUPS, tmp_path / "head.ckpt")
    told = next(text for text in caplog.messages if text.startswith("loss of a head alone"))
    losses = [float(part.split()[-1]) for part in told.split(":")[1].split(",")]
    assert block == 1 + int(np.argmin(losses))
    assert load_checkpoint(tmp_path / "head.ckpt").config["model"]["depth"] == block
