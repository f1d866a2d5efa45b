"""Essentia's official ONNX files run as they are; `convert` makes models of them that do more."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from checkpoint_files import CLASSES, DEPTH, DIM, FRAMES, LABELS, export_official


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like the official ones: renamed input and outputs, tokens of every layer, its JSON."""
    path = tmp_path_factory.mktemp("official") / "model.onnx"
    model = export_official(path)
    for layer in range(DEPTH):
        residual = f"/audio_spectrogram_transformer/layers.{layer}/Add_1_output_0"
        tokens = f"layer_{layer}_tokens"
        model.graph.node.append(onnx.helper.make_node("Identity", [residual], [tokens]))
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(
                tokens, onnx.TensorProto.FLOAT, ["batch_size", "n", DIM]
            )
        )
    onnx.save(model, path)
    path.with_suffix(".json").write_text(json.dumps({"name": "official", "classes": LABELS}))
    return path


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    samples = 2 * (FRAMES - 1) * 256 + 5000
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def test_runs_as_it_is(official: Path, audio: np.ndarray, tmp_path: Path) -> None:
    model = maest.Model(official)
    converted = maest.Model(maest.convert(official, tmp_path / "converted.onnx"))
    assert model.name == "official"
    assert model.labels == converted.labels == tuple(LABELS)
    assert (model.depth, model.dim, model.grid) == (DEPTH, DIM, converted.grid)
    assert model.segment_seconds == converted.segment_seconds
    assert model.hop_seconds == converted.hop_seconds

    for tail in ("discard", "repeat"):
        activations = model.predict(audio, tail=tail)
        assert activations.shape == (2 + (tail == "repeat"), CLASSES)
        np.testing.assert_allclose(activations, converted.predict(audio, tail=tail), atol=1e-4)
    for block in range(1, DEPTH + 1):
        tokens = model.tokens(audio, block=block)
        wanted = converted.tokens(audio, block=block)
        assert np.abs(tokens - wanted).max() < 1e-4 * wanted.std()


def test_what_it_cannot_do_is_named(official: Path, audio: np.ndarray) -> None:
    model = maest.Model(official)
    for options in ({"patchout": "F3T2"}, {"tail": "pad"}):
        with pytest.raises(maest.InvalidArgumentError, match="official ONNX.*`maest convert`"):
            model.embed(audio, block=1, **options)
    with pytest.raises(maest.InvalidArgumentError, match=f"blocks 1 to {DEPTH}"):
        model.embed(audio, block=DEPTH + 1)


def test_labels_that_do_not_fit(official: Path, tmp_path: Path) -> None:
    path = shutil.copy(official, tmp_path / "model.onnx")
    assert maest.Model(path).labels[0] == "class-000"  # no JSON beside it
    Path(path).with_suffix(".json").write_text(json.dumps({"classes": LABELS[1:]}))
    with pytest.raises(maest.ModelError, match=f"{CLASSES} classes.*{CLASSES - 1}"):
        maest.Model(path)
    Path(path).with_suffix(".json").write_text(json.dumps({"classes": 7}))
    with pytest.raises(maest.ModelError, match="no list of names"):
        maest.Model(path)
    Path(path).with_suffix(".json").write_text("{")
    with pytest.raises(maest.ModelError, match="not JSON"):
        maest.Model(path)
