"""What the command line takes is what Python takes: the engine's own rules, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from checkpoint_files import export_official
from essentia_maest import Request
from essentia_maest.commands.cli import main
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.weights import random_weights
from untrained import UNTRAINED


@pytest.fixture
def track(tmp_path) -> Path:
    return write_audio(tmp_path / "a.wav", 12.0, 16000, 1)


FILES = ("--format", "files")


def analyze(track: Path, *more: str, model: Path = UNTRAINED) -> int:
    out = str(track.parent / "out")
    return main(["analyze", str(track), "-o", out, "--model", str(model), "--quiet", *FILES, *more])


def test_a_token_may_be_asked_for_twice(track):
    assert analyze(track, "--block", "1", "--tokens", "cls,cls") == 0
    found = np.load(track.parent / "out" / "a.wav.embeddings.npy")
    model = maest.Model(UNTRAINED)
    audio = maest.load_audio(track)
    wanted = model.embed(audio, block=1, tokens=("cls", "cls"))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    once = model.embed(audio, block=1, tokens=("cls",))
    np.testing.assert_array_equal(wanted, np.hstack([once, once]))


def test_a_model_of_fewer_blocks_than_the_default_gives_its_last(track, tmp_path):
    weights = random_weights(dim=64, depth=3, classes=2, columns=62)
    description = ModelDescription("shallow", "", ("a", "b"), False, "", "random", "")
    write_model(weights, description, "fp32", tmp_path / "shallow.onnx")
    assert analyze(track, model=tmp_path / "shallow.onnx") == 0
    found = np.load(track.parent / "out" / "a.wav.embeddings.npy")
    wanted = maest.Model(tmp_path / "shallow.onnx").embed(maest.load_audio(track), block=3)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


WRONG = [
    ("block", 0), ("block", -3), ("tokens", ("cls", "mean")), ("tokens", ("",)), ("hop", 0.0),
    ("hop", float("nan")), ("hop", float("inf")), ("hop", 1e-9), ("hop", 1e9),
    ("patchout", "F9"), ("patchout", ""), ("patchout", "T5"), ("patchout", "F3T0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_python_refuses_the_command_refuses_in_the_same_words(track, name, value, capsys):
    with pytest.raises(maest.InvalidArgumentError) as refused:
        Request(("embeddings",), **{name: value})
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    assert analyze(track, f"--{name}={text}") == 2
    assert capsys.readouterr().err == f"maest: {refused.value}\n"


@pytest.mark.parametrize("patchout", ["F3T05", "F0T1", "f3t2", "F4T10"])
def test_what_python_takes_the_command_takes(track, patchout):
    try:
        maest.Model(UNTRAINED).plan(Request(("embeddings",), patchout=patchout))
        wanted = 0
    except maest.InvalidArgumentError:
        wanted = 2
    assert analyze(track, f"--patchout={patchout}") == wanted


@pytest.fixture(scope="module")
def activations_only(tmp_path_factory) -> Path:
    """A file like the official ones that give activations and nothing else."""
    path = tmp_path_factory.mktemp("official") / "activations.onnx"
    model = export_official(path)
    kept = [output for output in model.graph.output if output.name == "activations"]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    onnx.save(model, path)
    return path


def test_a_model_of_activations_gives_what_it_has(track, activations_only, capsys):
    assert analyze(track, model=activations_only) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"maest: model '.*' has predictions only: that is what is computed", line)
    out = track.parent / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "a.wav.json",
        "a.wav.predictions.npy",
        "summary.json",
    ]
    assert json.loads((out / "a.wav.json").read_text())["options"]["output"] == "predictions"
    np.testing.assert_allclose(
        np.load(out / "a.wav.predictions.npy"),
        maest.Model(activations_only).predict(maest.load_audio(track)),
        rtol=0,
        atol=1e-6,
    )
    assert analyze(track, "--resume", model=activations_only) == 0
    assert json.loads((out / "summary.json").read_text())["counts"]["resumed"] == 1


@pytest.mark.parametrize("output", ["embeddings", "both"])
def test_embeddings_asked_for_and_not_there_are_refused(track, activations_only, output, capsys):
    assert analyze(track, "--output", output, model=activations_only) == 2
    error = capsys.readouterr().err
    assert "has activations only; no blocks" in error
    assert not (track.parent / "out" / "summary.json").exists()
