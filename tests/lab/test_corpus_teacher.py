"""TensorFlow's checkpoints as arrays, and the teacher built from them."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.corpus.checkpoint_arrays import arrays_path, checkpoint_arrays
from lab.corpus.teacher import MusiCNN, Teacher, load_tagger
from lab.peers.process import PeerError
from musicnn_fixtures import make_musicnn, random_weights, run_musicnn, write_checkpoint
from training.errors import CheckpointError

TENSORFLOW = """
import numpy as np
float32 = np.dtype(np.float32)
class _Reader:
    def __init__(self, prefix):
        self.tensors = dict(np.load(prefix + ".data-00000-of-00001"))
    def get_variable_to_dtype_map(self):
        return {name: value.dtype for name, value in self.tensors.items()}
    def get_tensor(self, name):
        return self.tensors[name]
class compat:
    pass
class _Train:
    NewCheckpointReader = _Reader
class _V1:
    train = _Train
compat.v1 = _V1
"""


@pytest.fixture
def tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for TensorFlow and its environment; a list of the environments asked for."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "tensorflow.py").write_text(TENSORFLOW)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/site exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    asked: list[str] = []

    def python_of(name: str, cache: Path) -> Path:
        asked.append(name)
        return python

    monkeypatch.setattr("lab.corpus.checkpoint_arrays.python_of", python_of)
    return asked


def test_a_checkpoint_is_converted_once(tensorflow: list[str], tmp_path: Path) -> None:
    folder, cache = tmp_path / "model", tmp_path / "cache"
    weights = {"a/kernel": np.ones((3, 2), np.float32), "b": np.zeros((), np.float32)}
    write_checkpoint(folder, tmp_path / "elsewhere", weights)
    for _ in range(2):
        found = checkpoint_arrays(folder, cache)
        assert found.keys() == weights.keys()  # not global_step, a whole number
        for name, array in weights.items():
            np.testing.assert_array_equal(found[name], array)
    assert tensorflow == ["tensorflow"]
    write_checkpoint(folder, tmp_path / "elsewhere", {"c": np.ones(4, np.float32)})
    assert checkpoint_arrays(folder, cache).keys() == {"c"}


def test_what_is_no_checkpoint_is_refused(tensorflow: list[str], tmp_path: Path) -> None:
    folder, cache = tmp_path / "model", tmp_path / "cache"
    with pytest.raises(CheckpointError, match="model is no TensorFlow checkpoint"):
        checkpoint_arrays(folder, cache)
    write_checkpoint(folder, cache, {"a": np.zeros((4, 5), np.float32)})
    path = arrays_path(folder, cache)
    path.write_bytes(b"half")
    with pytest.raises(CheckpointError, match=r"npz: cannot be read .*delete it"):
        checkpoint_arrays(folder, cache)
    (folder / ".index").write_text("another")
    (folder / ".data-00000-of-00001").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="model cannot be read by TensorFlow: .*Error"):
        checkpoint_arrays(folder, cache)
    assert not arrays_path(folder, cache).exists()


def test_a_machine_without_tensorflow_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def python_of(name: str, cache: Path) -> Path:
        raise PeerError("environment tensorflow cannot be made: no network")

    monkeypatch.setattr("lab.corpus.checkpoint_arrays.python_of", python_of)
    write_checkpoint(tmp_path / "model", tmp_path / "elsewhere", {"a": np.ones(2, np.float32)})
    with pytest.raises(CheckpointError, match="environment tensorflow cannot be made: no network"):
        checkpoint_arrays(tmp_path / "model", tmp_path / "cache")


def test_the_network_is_musicnn() -> None:
    weights = random_weights(tags=5)
    mel = np.random.default_rng(1).uniform(0, 3, (2, 187, 96)).astype(np.float32)
    with torch.inference_mode():
        found = MusiCNN(weights)(torch.from_numpy(mel)).numpy()
    expected = np.stack([run_musicnn(weights, window) for window in mel])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    weights = random_weights(tags=5)
    del weights["conv2d_6/bias"]
    write_checkpoint(tmp_path / "model", tmp_path, weights)
    with pytest.raises(CheckpointError, match=r"not a musicnn checkpoint: 'conv2d_6/bias'"):
        load_tagger(tmp_path / "model", tmp_path)


def test_the_teacher_averages_over_whole_windows(tmp_path: Path) -> None:
    made = make_musicnn(tmp_path)
    teacher = Teacher(tmp_path)
    assert teacher.classes == (
        "MagnaTagATune---guitar",
        "MagnaTagATune---no vocals",
        "MagnaTagATune---new age",
        "MillionSong---rock",
        "MillionSong---Hip-Hop",
    )
    mel = np.random.default_rng(2).uniform(0, 3, (2 * 187 + 186, 96)).astype(np.float32)
    expected = np.concatenate(
        [
            np.mean(
                [1 / (1 + np.exp(-run_musicnn(weights, mel[start : start + 187])))
                 for start in (0, 187)],
                axis=0,
            )
            for weights in made.values()
        ]
    )  # fmt: skip
    np.testing.assert_allclose(teacher(mel), expected, atol=1e-4)
    for wrong in (mel[:186], mel[:, :95], mel[0]):
        with pytest.raises(ValueError, match=r"the teacher wants .* got \[186, 96\]|\[\d+"):
            teacher(wrong)


def test_tags_and_labels_must_agree_in_number(tmp_path: Path) -> None:
    make_musicnn(tmp_path, tags=(3, 4))
    with pytest.raises(CheckpointError, match=r"MSD_musicnn gives 4 tags; .*py names 2"):
        Teacher(tmp_path)


def test_the_teacher_comes_from_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    make_musicnn(made)
    (tmp_path / "wheels").mkdir()
    package = made / "python" / "musicnn==0.1.0"
    with zipfile.ZipFile(tmp_path / "wheels" / "musicnn-0.1.0-py3-none-any.whl", "w") as wheel:
        for path in sorted(package.rglob("*")):
            if path.is_file():
                wheel.write(path, path.relative_to(package))
        about = "musicnn-0.1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Name: musicnn\nVersion: 0.1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    shutil.copytree(made / "arrays", tmp_path / "cache" / "arrays")
    assert len(Teacher(tmp_path / "cache").classes) == 5
