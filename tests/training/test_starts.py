"""What `fit` starts from: model files as checkpoints, and whose normalisation counts."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import essentia_maest as maest
from essentia_maest.making.conversion import convert
from essentia_maest.making.metadata import NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION
from run_fixtures import make_dataset, make_experiment
from spectrogram_fixtures import class_names
from test_export import CLASSES, MEAN, SMALL, STD, save_run
from training.config import InitialisationConfig, ModelConfig
from training.data.store import SpectrogramStore
from training.errors import CheckpointError, ConfigError
from training.model.build import build_network
from training.model.initialisation import initialise
from training.model.maest import MAEST
from training.run.checkpoint import load_checkpoint
from training.run.config_file import plain
from training.run.fit import fit

TINY = {"dim": 32, "heads": 2, "depth": 2, "seconds": 1.0}


def predictions(
    network: MAEST, normalisation: tuple[float, float], audio: np.ndarray
) -> np.ndarray:
    mean, std = normalisation
    mel = (maest.mel_spectrogram(audio)[: network.segment_frames].T - mean) / (2 * std)
    with torch.no_grad():
        logits = network.eval()(torch.from_numpy(np.ascontiguousarray(mel))[None].float()).logits
    return logits.sigmoid()[0].numpy()


def test_a_model_file_is_a_start(tmp_path: Path) -> None:
    """In fp32: the same activations, from the file's own normalisation."""
    run = save_run(tmp_path / "run")
    convert(run, tmp_path / "model.onnx")
    network = build_network(ModelConfig(**SMALL), len(CLASSES), 7)
    start = initialise(network, "maest", tmp_path / "model.onnx", CLASSES)
    assert start.normalisation == pytest.approx((MEAN, STD))
    assert not any("rounded" in note for note in start.notes)
    audio = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    wanted = maest.Model(tmp_path / "model.onnx").predict(audio)[0]
    np.testing.assert_allclose(predictions(network, (MEAN, STD), audio), wanted, atol=1e-5)


def test_the_default_is_a_start_by_its_name() -> None:
    """It ships in int8: its weights are taken for what they stand for, and that is said."""
    model = maest.Model("default")
    config = ModelConfig(dim=128, heads=4, depth=12, seconds=10)
    network = build_network(config, len(model.labels), 7)
    start = initialise(network, "maest", Path("default"), model.labels)
    assert "matrices: rounded to 8 bits, as the model file has them" in start.notes
    assert start.normalisation is not None
    audio = maest.load_audio(maest.example_audio())[: 10 * 16000]
    found, wanted = predictions(network, start.normalisation, audio), model.predict(audio)[0]
    assert np.abs(found - wanted).max() < 0.1
    assert found.argmax() == wanted.argmax()
    with pytest.raises(CheckpointError, match="neither a file nor one of the models"):
        initialise(network, "maest", Path("no-such-model"))


def test_what_a_checkpoint_says_of_its_normalisation(tmp_path: Path) -> None:
    """A bare file of weights is one of the public models'; PaSST's inputs were others."""
    run = save_run(tmp_path / "run")
    network = build_network(ModelConfig(**SMALL), len(CLASSES), 7)
    assert initialise(network, "maest", run).normalisation == (MEAN, STD)
    weights = torch.load(run, weights_only=True)["state_dict"]
    bare = {name.removeprefix("net."): v for name, v in weights.items() if name.startswith("net.")}
    torch.save(bare, tmp_path / "bare.ckpt")
    public = (NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION)
    assert initialise(network, "maest", tmp_path / "bare.ckpt").normalisation == public
    assert initialise(network, "random", None).normalisation is None


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["checkpoint", "dataset"])
def test_whose_normalisation_a_run_keeps(
    choice: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training")
    dataset = make_dataset(tmp_path / "dataset")
    start = save_run(tmp_path / "first", **TINY)
    experiment = replace(
        make_experiment(dataset, tmp_path / "run", epochs=2),
        initialisation=InitialisationConfig("maest", start, normalisation=choice),
    )
    fit(replace(experiment, recipe=replace(experiment.recipe, epochs=2)))
    store = SpectrogramStore(dataset)
    last = load_checkpoint(tmp_path / "run" / "final.ckpt")
    wanted = (MEAN, STD) if choice == "checkpoint" else (store.mean, store.std)
    assert (last.mean, last.std) == wanted
    assert last.dataset_normalisation == [store.mean, store.std]
    told = [line for line in caplog.messages if line.startswith("normalisation: the ")]
    assert len(told) == 1
    assert told[0].startswith("normalisation: the " + choice.replace("dataset", "data set"))
    assert last.classes == list(class_names(4))

    # Resumed, it goes on with the same, and still knows its data set.
    longer = replace(experiment, recipe=replace(experiment.recipe, epochs=3))
    fit(longer, resume=True)
    last = load_checkpoint(tmp_path / "run" / "final.ckpt")
    assert (last.mean, last.std) == wanted
    other = make_dataset(tmp_path / "other", tracks=64)
    moved = replace(longer, data=replace(longer.data, dataset=other))
    with pytest.raises(ConfigError, match="cannot resume"):
        fit(replace(moved, recipe=replace(moved.recipe, epochs=4)), resume=True)


@pytest.mark.slow
def test_a_run_of_an_earlier_version_resumes(tmp_path: Path) -> None:
    """What its configuration did not know has its default."""
    dataset = make_dataset(tmp_path / "dataset")
    experiment = make_experiment(dataset, tmp_path / "run", epochs=2)
    fit(experiment)
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["config"]["initialisation"]["normalisation"], content["dataset_normalisation"]
    torch.save(content, path)
    fit(replace(experiment, recipe=replace(experiment.recipe, epochs=3)), resume=True)
    assert load_checkpoint(path).progress["epoch"] == 3
    assert load_checkpoint(path).config == plain(
        replace(experiment, recipe=replace(experiment.recipe, epochs=3))
    )
