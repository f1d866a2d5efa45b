"""Training as a whole: it learns, and how it is spread over processes does not change it."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from essentia_maest.files import UNFINISHED
from run_fixtures import CLASSES, make_dataset, make_experiment, rows_without_clock
from spectrogram_fixtures import make_tracks, write_store
from training.config import Experiment, SamplingConfig, ScheduleConfig
from training.data.store import SpectrogramStore
from training.data.tracks import Tracks
from training.errors import ConfigError, DataError, TrainingError
from training.model.maest import grid_columns
from training.model.sizes import segment_frames
from training.recipe.metrics import score
from training.run import assembly
from training.run.assembly import make_fabric
from training.run.batches import micro_batches, share_of
from training.run.checkpoint import load_checkpoint
from training.run.config_file import read_experiment, write_experiment
from training.run.fit import fit
from training.run.inference import DEFAULT_COMPUTING, Predictor, load_trained, open_dataset
from training.run.logs import read_rows

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("loop") / "dataset")


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "run"
    fit(make_experiment(dataset, folder))
    return folder


def with_run(experiment: Experiment, **values: object) -> Experiment:
    return replace(experiment, run=replace(experiment.run, **values))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "final.ckpt").network


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_it_learns(dataset: Path, tmp_path: Path, optimizer: str) -> None:
    experiment = make_experiment(
        dataset, tmp_path / "run", epochs=12, optimizer=optimizer,
        schedule=ScheduleConfig(peak=5e-3, warm_up=1, constant_until=8, fall=4, last=1e-4),
    )  # fmt: skip
    fit(experiment)
    rows = read_rows(tmp_path / "run" / "epochs.csv")
    assert rows[-1]["train_loss"] < 0.85 * rows[0]["train_loss"]
    # A quarter to a half of the tracks have each class: chance is about 0.35.
    assert rows[-1]["mean_average_precision"] > 0.7
    assert rows[-1]["averaged_mean_average_precision"] > 0.7


def test_the_run_folder_has_what_it_should(dataset: Path, trained: Path) -> None:
    experiment = make_experiment(dataset, trained)
    assert read_experiment(trained / "config.yaml") == experiment
    assert [row["epoch"] for row in read_rows(trained / "epochs.csv")] == [1, 2, 3, 4]
    # 30 tracks in steps of 8: 3 an epoch.
    assert [row["step"] for row in read_rows(trained / "log.csv")] == [3, 6, 9, 12]
    assert list((trained / "tensorboard").glob("events.*"))
    report = json.loads((trained / "report.json").read_text())
    assert (report["training_tracks"], report["validation_tracks"]) == (30, 15)
    assert report["classes_without_training_tracks"] == []


def test_checkpoints_are_plain_and_named_as_the_references(trained: Path) -> None:
    values = torch.load(trained / "final.ckpt", weights_only=True)
    assert values["format"] == "essentia-maest training 1"
    names = values["state_dict"].keys()
    assert {"net.cls_token", "net_swa.cls_token", "net.blocks.0.attn.qkv.weight"} <= names
    assert values["averaged_models"] == 3
    assert values["progress"]["epoch"] == 4
    assert len(values["classes"]) == CLASSES
    assert {"config", "mean", "std", "dataset", "optimizer", "random_state"} <= values.keys()
    assert not list(trained.rglob(UNFINISHED))


def test_best_is_the_epoch_of_the_highest_score(trained: Path) -> None:
    rows = read_rows(trained / "epochs.csv")
    scores = [
        max(
            value
            for value in (row["mean_average_precision"], row["averaged_mean_average_precision"])
            if not math.isnan(value)
        )
        for row in rows
    ]
    best = load_checkpoint(trained / "checkpoints" / "best.ckpt")
    assert best.progress["epoch"] == scores.index(max(scores)) + 1
    assert best.progress["best"] == pytest.approx(max(scores), abs=1e-8)


@pytest.mark.parametrize("averaged", [False, True])
def test_validation_scores_are_those_of_the_saved_weights(
    dataset: Path, trained: Path, averaged: bool
) -> None:
    network = load_trained(trained / "final.ckpt", averaged=averaged)
    store = open_dataset(network, None)
    indices = store.indices("validation")
    activations = Predictor(network, store, replace(DEFAULT_COMPUTING, workers=0)).activations(
        indices, "centre"
    )
    targets = torch.stack([torch.from_numpy(store.targets(int(i))) for i in indices])
    found = score(activations.logit(), targets, store.classes)
    row = read_rows(trained / "epochs.csv")[-1]
    prefix = "averaged_" if averaged else ""
    assert row[f"{prefix}mean_average_precision"] == pytest.approx(found.mean_average_precision)
    assert row[f"{prefix}roc_auc"] == pytest.approx(found.roc_auc)
    assert row[f"{prefix}loss"] == pytest.approx(found.loss, abs=1e-6)


@pytest.mark.slow
def test_reading_processes_change_nothing(dataset: Path, trained: Path, tmp_path: Path) -> None:
    experiment = make_experiment(dataset, tmp_path / "run")
    fit(replace(experiment, data=replace(experiment.data, workers=2)))
    for name, value in weights(trained).items():
        assert torch.equal(weights(tmp_path / "run")[name], value), name


def without_key_bias(name: str, value: torch.Tensor) -> torch.Tensor:
    """Leave out what has no gradient: one bias for all keys moves all scores of a query alike.

    Rounding alone moves it, which the optimiser makes steps of.
    """
    if not name.endswith("attn.qkv.bias"):
        return value
    query, _, values = value.chunk(3)
    return torch.cat([query, values])


@pytest.mark.slow
def test_two_processes_compute_what_one_does(dataset: Path, trained: Path, tmp_path: Path) -> None:
    """One has two micro-batches in each step, two have one each; 15 tracks are validated."""
    experiment = with_run(make_experiment(dataset, tmp_path / "run"), devices=2)
    write_experiment(experiment, tmp_path / "two.yaml")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-m", "training", "fit", "--config", str(tmp_path / "two.yaml")],
        cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    one, two = load_checkpoint(trained / "final.ckpt"), load_checkpoint(tmp_path / "run/final.ckpt")
    assert one.averaged is not None
    assert two.averaged is not None
    for name, value in one.network.items():
        for ours, theirs in ((two.network[name], value), (two.averaged[name], one.averaged[name])):
            torch.testing.assert_close(
                without_key_bias(name, ours), without_key_bias(name, theirs), rtol=1e-4, atol=1e-5
            )
    for log in ("log.csv", "epochs.csv"):
        rows = read_rows(trained / log), read_rows(tmp_path / "run" / log)
        assert len(rows[0]) == len(rows[1])
        for single, double in zip(*rows, strict=True):
            for name in ("step", "train_loss", "loss", "mean_average_precision", "averaged_loss"):
                if name in single:
                    expected = pytest.approx(single[name], rel=1e-4, nan_ok=True)
                    assert double[name] == expected, (log, name)


def test_shares_of_processes_cover_a_step_once() -> None:
    ranks = [micro_batches(range(1, 3), 12, 3, rank, 2) for rank in range(2)]
    assert ranks[0] == [[12, 13, 14], [18, 19, 20], [24, 25, 26], [30, 31, 32]]
    assert ranks[1] == [[15, 16, 17], [21, 22, 23], [27, 28, 29], [33, 34, 35]]
    alone = micro_batches(range(1, 3), 12, 3, 0, 1)
    assert sorted(alone) == sorted(ranks[0] + ranks[1])


def test_evaluation_shares_are_of_one_length() -> None:
    store = torch.arange(10, 17).numpy()
    shares = [share_of(store, rank, 3).tolist() for rank in range(3)]
    assert shares == [[10, 13, 16], [11, 14, 16], [12, 15, 16]]


def test_bfloat16_trains_float32_weights(dataset: Path, tmp_path: Path) -> None:
    experiment = make_experiment(dataset, tmp_path / "run", epochs=2)
    fit(with_run(experiment, precision="bf16-mixed"))
    assert {value.dtype for value in weights(tmp_path / "run").values()} == {torch.float32}
    assert read_rows(tmp_path / "run" / "epochs.csv")[-1]["train_loss"] < 0.8


@pytest.mark.slow
def test_gradients_are_clipped_and_decay_can_be_a_penalty(
    dataset: Path, trained: Path, tmp_path: Path
) -> None:
    experiment = make_experiment(dataset, tmp_path / "clipped", gradient_clipping=1e-4)
    fit(experiment)
    penalty = make_experiment(
        dataset, tmp_path / "penalty", weight_decay=0.1, decoupled_weight_decay=False
    )
    fit(penalty)
    name = "blocks.0.attn.qkv.weight"
    plain = weights(trained)[name]
    assert not torch.equal(weights(tmp_path / "clipped")[name], plain)
    assert weights(tmp_path / "penalty")[name].norm() < plain.norm()


@pytest.mark.slow
def test_epochs_between_validations_have_no_scores(dataset: Path, tmp_path: Path) -> None:
    fit(with_run(make_experiment(dataset, tmp_path / "run", epochs=5), validate_every=3))
    rows = read_rows(tmp_path / "run" / "epochs.csv")
    scored = [not math.isnan(row["mean_average_precision"]) for row in rows]
    assert scored == [False, False, True, False, True]


def test_inputs_may_be_shorter_than_the_encoding(dataset: Path, tmp_path: Path) -> None:
    whole = make_experiment(dataset, tmp_path / "run", epochs=2)
    frames = segment_frames(whole.model.seconds)
    shorter = replace(whole, model=replace(whole.model, input_frames=frames - 1))
    fit(shorter)
    columns = weights(tmp_path / "run")["time_new_pos_embed"].shape[-1]
    assert columns == grid_columns(frames) == grid_columns(frames - 1) + 1
    trained = load_trained(tmp_path / "run" / "final.ckpt", averaged=False)
    sizes: list[int] = []
    trained.network.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[2]))
    store = open_dataset(trained, None)
    Predictor(trained, store, replace(DEFAULT_COMPUTING, workers=0)).activations(
        store.indices("test"), "centre"
    )
    assert set(sizes) == {frames - 1}


def changed_splits(change: Callable[[int, str], str], *, tracks: int = 60) -> Tracks:
    table = make_tracks(tracks=tracks, classes=CLASSES, seed=0)
    splits = [change(i, name) for i, name in enumerate(table.table["split"].to_pylist())]
    position = table.table.schema.get_field_index("split")
    field = table.table.schema.field(position)
    return replace(table, table=table.table.set_column(position, field, [splits]))


def test_without_a_validation_split_it_trains_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_store(tmp_path / "dataset", changed_splits(lambda i, name: "train"))
    with caplog.at_level(logging.INFO):
        fit(make_experiment(tmp_path / "dataset", tmp_path / "run", epochs=2))
    assert "validation split is empty" in caplog.text
    rows = read_rows(tmp_path / "run" / "epochs.csv")
    assert math.isnan(rows[-1]["mean_average_precision"])
    assert rows[-1]["train_loss"] < 0.8
    assert not (tmp_path / "run" / "checkpoints" / "best.ckpt").exists()


def test_classes_without_positives_are_named_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = make_tracks(tracks=60, classes=CLASSES, seed=0)
    store = write_store(tmp_path / "dataset", replace(table, classes=(*table.classes, "New---A")))
    assert isinstance(store, SpectrogramStore)
    with caplog.at_level(logging.INFO):
        fit(make_experiment(tmp_path / "dataset", tmp_path / "run", epochs=2))
    assert "1 classes have no training track: New---A" in caplog.text
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["classes_without_training_tracks"] == ["New---A"]
    assert report["classes_not_scored"] == {"New---A": "no positives"}
    row = read_rows(tmp_path / "run" / "epochs.csv")[-1]
    assert (row["classes_scored"], row["classes_skipped"]) == (CLASSES, 1)
    assert 0.0 < row["mean_average_precision"] <= 1.0


@pytest.mark.parametrize(("drawn", "replacement"), [(30, False), (29, False), (30, True)])
def test_a_set_that_an_epoch_uses_whole_is_told_to_be_unbalanced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, drawn: int, replacement: bool
) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    sampling = SamplingConfig(tracks=drawn, replacement=replacement, frequency_offset=1.0)
    with caplog.at_level(logging.INFO):
        fit(make_experiment(dataset, tmp_path / "run", epochs=1, sampling=sampling))
    told = "every epoch has all 30 training tracks" in caplog.text
    assert told == (drawn == 30 and not replacement)


def test_fewer_tracks_than_a_batch(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset", tracks=8)
    with pytest.raises(DataError, match="4 labelled training tracks, fewer than a batch of 8"):
        fit(make_experiment(dataset, tmp_path / "run"))
    # Nothing that the corrected experiment would stumble over.
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run(dataset: Path, tmp_path: Path) -> None:
    schedule = ScheduleConfig(peak=1e30, warm_up=0, fall=0)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) by step"):
        fit(make_experiment(dataset, tmp_path / "run", schedule=schedule))


def test_more_gpus_than_there_are(dataset: Path, tmp_path: Path) -> None:
    there = torch.cuda.device_count()
    experiment = make_experiment(dataset, tmp_path / "run", batch=8 * (there + 1))
    with pytest.raises(ConfigError, match=f"this machine has {there} GPUs"):
        fit(with_run(experiment, accelerator="cuda", devices=there + 1))


@pytest.mark.parametrize(("accelerator", "wanted"), [("cuda", "high"), ("cpu", "highest")])
def test_only_gpus_multiply_float32_in_tf32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accelerator: str, wanted: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(assembly, "Fabric", lambda **settings: settings)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("highest")
        experiment = with_run(make_experiment(tmp_path, tmp_path), accelerator=accelerator)
        make_fabric(experiment.run)
        assert torch.get_float32_matmul_precision() == wanted
        make_fabric(with_run(experiment, matmul_precision="highest").run)
        assert torch.get_float32_matmul_precision() == "highest"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(dataset: Path, trained: Path, tmp_path: Path) -> None:
    fit(make_experiment(dataset, tmp_path / "same"))
    fit(with_run(make_experiment(dataset, tmp_path / "other"), seed=1))
    for log in ("log.csv", "epochs.csv"):
        same, other = (rows_without_clock(tmp_path / f / log) for f in ("same", "other"))
        assert same == rows_without_clock(trained / log)
        assert other != same
