"""OnnxPredictMAEST in standard mode: the twins of TensorflowPredictMAEST's tests, and more.

Essentia raises RuntimeError for whatever goes wrong in an algorithm.
"""

from pathlib import Path

import essentia
import numpy as np
import pytest

import essentia_maest as maest
from essentia_helpers import (
    CLASSES,
    DIM,
    HOP,
    RATE,
    SEGMENT,
    TOKENS,
    make_regression,
    noise,
    regression_signal,
)
from untrained import UNTRAINED

import essentia.standard as es  # isort: skip


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED)


@pytest.fixture(scope="module")
def file(model: maest.Model) -> str:
    return str(model.path)


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    return noise(25 * RATE)


# Twins of test_tensorflowpredictmaest.py


def test_regression(file: str) -> None:
    """Against a stored result of other software: see make_regression."""
    expected = np.load(Path(__file__).parents[1] / "data" / "essentia_regression.npy")
    activations = es.OnnxPredictMAEST(graphFilename=file)(regression_signal())
    found = activations.mean(axis=0).squeeze()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(make_regression(Path(file)), expected, atol=1e-4)


def test_invalid_parameters(file: str) -> None:
    for parameter, value, words in [
        ("batchSize", -2, "batchSize = -2 is not within"),
        ("patchSize", 0, "`patchSize` is 0, but .* 626 frames"),
        ("patchSize", 1876, "`patchSize` is 1876, but .* 626 frames"),
        ("patchSize", -2, "not within"),
        ("patchHopSize", -2, "not within"),
        ("lastPatchMode", "mirror", "not within"),
        ("input", "placeholder", "not within"),
        ("output", "layer_12_tokens", "output 'layer_12_tokens' does not exist; wanted is"),
        ("output", "", "output '' does not exist"),
        ("patchout", "F2T2", "patchout 'F2T2' does not exist"),
        ("patchout", "F0T100", "T100 keeps one of more patch columns than the 62"),
        ("block", 0, "not within"),
        ("tokens", ["cls", "all"], "token 'all' does not exist"),
        ("threads", -1, "not within"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            es.OnnxPredictMAEST(graphFilename=file, **{parameter: value})
    with pytest.raises(RuntimeError, match="block 13 does not exist; model .* blocks 1 to 12"):
        es.OnnxPredictMAEST(graphFilename=file, output="embeddings", block=13)
    with pytest.raises(RuntimeError, match="no token was asked for"):
        es.OnnxPredictMAEST(graphFilename=file, output="embeddings", tokens=[])
    with pytest.raises(ValueError, match="not a parameter"):
        es.OnnxPredictMAEST(graphFilename=file, savedModel="")


def test_empty_audio(file: str) -> None:
    with pytest.raises(RuntimeError, match="audio is empty"):
        es.OnnxPredictMAEST(graphFilename=file)([])


def test_short_audio(file: str) -> None:
    with pytest.raises(RuntimeError, match="too short: 80000 samples .* 626 frames"):
        es.OnnxPredictMAEST(graphFilename=file)([1.0] * RATE * 5)


def test_patch_sizes_are_set_by_the_model(file: str) -> None:
    ones = np.ones(20 * RATE, np.float32)
    assert es.OnnxPredictMAEST(graphFilename=file)(ones).shape[0] == 2
    explicit = es.OnnxPredictMAEST(graphFilename=file, patchSize=SEGMENT, patchHopSize=HOP)
    assert explicit(ones).shape[0] == 2


# What it gives


NAMES = [
    ("activations", "activations", 0),
    ("PartitionedCall/Identity_13", "activations", 0),
    ("Identity_13", "activations", 0),
    ("StatefulPartitionedCall:0", "activations", 0),
    ("StatefulPartitionedCall", "activations", 0),
    ("logits", "logits", 0),
    ("PartitionedCall/Identity", "logits", 0),
    ("PartitionedCall/Identity:0", "logits", 0),
    ("Identity", "logits", 0),
    ("StatefulPartitionedCall:13", "logits", 0),
    *[(f"PartitionedCall/Identity_{block}", "tokens", block) for block in range(1, 13)],
    *[(f"StatefulPartitionedCall:{block}", "tokens", block) for block in range(1, 13)],
    *[(f"layer_{block - 1}_tokens", "tokens", block) for block in range(1, 13)],
    ("PartitionedCall/Identity_7:0", "tokens", 7),
    ("Identity_7", "tokens", 7),
    ("Identity_0", "logits", 0),
]


@pytest.mark.parametrize(("name", "kind", "block"), NAMES, ids=[name for name, _, _ in NAMES])
def test_output_names(model: maest.Model, file: str, name: str, kind: str, block: int) -> None:
    audio = noise(11 * RATE, seed=1)
    found = es.OnnxPredictMAEST(graphFilename=file, output=name)(audio)
    assert found.dtype == np.float32
    if kind == "tokens":
        assert found.shape == (1, 1, TOKENS, DIM)
        np.testing.assert_array_equal(found[:, 0], model.tokens(audio, block=block, tail="discard"))
        return
    assert found.shape == (1, 1, 1, CLASSES)
    predicted = model.predict(audio, tail="discard")
    if kind == "logits":
        assert found.min() < 0
        found = 1 / (1 + np.exp(-found.astype(np.float64)))
        np.testing.assert_allclose(found[:, 0, 0], predicted, atol=1e-6)
    else:
        np.testing.assert_array_equal(found[:, 0, 0], predicted)


@pytest.mark.parametrize(
    "name",
    [
        "layer_", "layer__tokens", "layer_-1_tokens", "layer_12_tokens", "layer_7", "Identity_14",
        "PartitionedCall", "PartitionedCall/Identity_", "PartitionedCall/Identity_7x",
        "StatefulPartitionedCall:14", "StatefulPartitionedCall:",
        "StatefulPartitionedCall:-1", "StatefulPartitionedCall:00000000000000000000", "Activations",
    ],
)  # fmt: skip
def test_names_that_do_not_exist(file: str, name: str) -> None:
    with pytest.raises(RuntimeError, match="does not exist; wanted is 'activations'"):
        es.OnnxPredictMAEST(graphFilename=file, output=name)


@pytest.mark.parametrize("mode", ["discard", "repeat", "pad"])
@pytest.mark.parametrize(
    ("patchout", "hop"),
    [("F0T0", -1), ("F0T0", 0), ("F0T0", 1000), ("F3T2", 313), ("F4T10", -1), ("F4T10", 100)],
)
def test_same_numbers_as_model(model: maest.Model, mode: str, patchout: str, hop: int) -> None:
    file, audio = str(model.path), noise(25 * RATE)
    parameters = {
        "graphFilename": file, "lastPatchMode": mode, "patchout": patchout, "patchHopSize": hop
    }  # fmt: skip
    frames = {-1: HOP, 0: SEGMENT}.get(hop, hop)
    options = {"tail": mode, "patchout": patchout, "hop": frames * 256 / RATE}
    activations = es.OnnxPredictMAEST(**parameters)(audio)
    np.testing.assert_array_equal(activations[:, 0, 0], model.predict(audio, **options))

    embeddings = es.OnnxPredictMAEST(**parameters, output="embeddings")(audio)
    assert embeddings.shape == (len(activations), 1, 3, DIM)
    wanted = model.embed(audio, **options)
    np.testing.assert_array_equal(embeddings.reshape(len(wanted), -1), wanted)


def test_embeddings_of_block_and_tokens(model: maest.Model, file: str, audio: np.ndarray) -> None:
    found = es.OnnxPredictMAEST(
        graphFilename=file, output="embeddings", block=3, tokens=["avg", "cls"]
    )(audio)
    assert found.shape == (2, 1, 2, DIM)
    wanted = model.embed(audio, block=3, tokens=["avg", "cls"], tail="discard")
    np.testing.assert_array_equal(found.reshape(2, -1), wanted)


@pytest.mark.parametrize("parameters", [{"threads": 1}, {"threads": 3}])
@pytest.mark.parametrize("batch_size", [-1, 0, 1, 2, 64])
def test_parameters_that_change_no_number(
    model: maest.Model, file: str, audio: np.ndarray, parameters: dict, batch_size: int
) -> None:
    found = es.OnnxPredictMAEST(graphFilename=file, batchSize=batch_size, **parameters)(audio)
    threads = maest.Model(file, num_threads=parameters["threads"])
    np.testing.assert_array_equal(found[:, 0, 0], threads.predict(audio, tail="discard"))


def test_default_output_is_probabilities(file: str, audio: np.ndarray) -> None:
    activations = es.OnnxPredictMAEST(graphFilename=file)(audio)
    assert 0 < activations.min() < activations.max() < 1


def test_audio_that_is_no_audio(file: str) -> None:
    algorithm = es.OnnxPredictMAEST(graphFilename=file)
    audio = noise(12 * RATE)
    audio[1234] = np.nan
    with pytest.raises(RuntimeError, match="1234"):
        algorithm(audio)
    with pytest.raises(TypeError):
        algorithm("audio")
    audio[1234] = 0
    assert algorithm(audio).shape == (1, 1, 1, CLASSES)
    assert algorithm(audio.astype(np.float64)).shape == (1, 1, 1, CLASSES)
    assert algorithm(np.repeat(audio, 2)[::2]).shape == (1, 1, 1, CLASSES)


# Configuring


def test_without_a_model(audio: np.ndarray) -> None:
    algorithm = es.OnnxPredictMAEST()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no model is configured; `graphFilename`"):
            algorithm(audio)
        algorithm.reset()


def test_failed_configure_keeps_what_was(file: str, audio: np.ndarray, tmp_path: Path) -> None:
    algorithm = es.OnnxPredictMAEST(graphFilename=file, output="logits")
    wanted = algorithm(audio)
    (tmp_path / "noise.onnx").write_bytes(b"not a model")
    for parameters in (
        {"graphFilename": str(tmp_path / "missing.onnx")},
        {"graphFilename": str(tmp_path / "noise.onnx")},
        {"graphFilename": str(tmp_path)},
        {"graphFilename": file, "output": "nothing"},
        {"graphFilename": file, "patchSize": 5, "lastPatchMode": "repeat"},
        {"graphFilename": file, "batchSize": -5},
    ):
        with pytest.raises(RuntimeError, match="Error while configuring OnnxPredictMAEST"):
            algorithm.configure(**parameters)
        assert algorithm.paramValue("output") == "logits"
        assert algorithm.paramValue("graphFilename") == file
        assert algorithm.paramValue("lastPatchMode") == "discard"
        np.testing.assert_array_equal(algorithm(audio), wanted)
    algorithm.configure(graphFilename=file)
    assert algorithm(audio).min() > 0


def test_survives_errors_and_reset(file: str, audio: np.ndarray) -> None:
    algorithm = es.OnnxPredictMAEST(graphFilename=file)
    wanted = algorithm(audio)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="too short"):
            algorithm(audio[:1000])
        algorithm.reset()
        np.testing.assert_array_equal(algorithm(audio), wanted)


def test_a_file_that_was_replaced_is_read_again(
    model: maest.Model, audio: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model.path.read_bytes())
    first = es.OnnxPredictMAEST(graphFilename=str(path))
    wanted = first(audio)
    path.unlink()
    path.write_bytes(b"not a model")
    with pytest.raises(RuntimeError, match="cannot be loaded"):
        es.OnnxPredictMAEST(graphFilename=str(path))
    np.testing.assert_array_equal(first(audio), wanted)


def test_nothing_is_read_off_the_name(
    model: maest.Model, audio: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "discogs-maest-30s-pw-2.onnx"
    path.write_bytes(model.path.read_bytes())
    found = es.OnnxPredictMAEST(graphFilename=str(path))(audio)
    np.testing.assert_array_equal(found[:, 0, 0], model.predict(audio, tail="discard"))


def test_untrained_models_say_so_at_warning_level(
    file: str, audio: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    assert essentia.log.warningActive
    algorithm = es.OnnxPredictMAEST(graphFilename=file)
    algorithm(audio)
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert "WARNING" in line
    assert "has random weights" in line
    essentia.log.warningActive = False
    try:
        algorithm.configure(graphFilename=file)
    finally:
        essentia.log.warningActive = True
    assert capfd.readouterr().err == ""


def test_a_tail_that_was_heard_before_is_a_segment_in_essentia_only(
    model: maest.Model, file: str
) -> None:
    """Three segments and one frame, of which TensorflowPredictMAEST makes a fourth."""
    audio = noise(30 * RATE)
    found = es.OnnxPredictMAEST(graphFilename=file, lastPatchMode="repeat")(audio)
    assert len(found) == 4
    np.testing.assert_array_equal(found[:3, 0, 0], model.predict(audio, tail="repeat"))
