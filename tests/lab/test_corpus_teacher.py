"""Reading TensorFlow's checkpoints, and the teacher built from one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lab.corpus.teacher import Teacher, load_tagger
from lab.corpus.tensorflow_checkpoint import read_checkpoint
from musicnn_fixtures import make_musicnn, random_weights, run_musicnn, write_checkpoint
from training.errors import CheckpointError


@pytest.mark.parametrize("entries_a_block", [1, 9, 500])
def test_a_checkpoint_is_read(entries_a_block: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = {
        f"layer{number}/{part}": random.normal(size=shape).astype(np.float32)
        for number in range(8)
        for part, shape in (("kernel", (3, 200)), ("bias", (200,)), ("scale", ()))
    }
    write_checkpoint(tmp_path / "model", weights, entries_a_block=entries_a_block)
    found = read_checkpoint(tmp_path / "model")
    assert found.keys() == weights.keys()  # not global_step, a whole number
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_checkpoint_cut_short_or_foreign_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a": np.zeros((4, 5), np.float32), "b": np.ones(3, np.float32)})
    data, index = tmp_path / ".data-00000-of-00001", tmp_path / ".index"
    whole, table = data.read_bytes(), index.read_bytes()
    data.write_bytes(whole[:-17])
    with pytest.raises(CheckpointError, match=r"b has shape \[3\] and lies at 80\+12 bytes"):
        read_checkpoint(tmp_path)
    data.write_bytes(whole)
    for damaged in (b"", table[:-1], table[20:], b"\xff" * 60 + table[-48:]):
        index.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"\.index cannot be read"):
            read_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is no TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "nowhere")


def test_the_network_is_musicnn(tmp_path: Path) -> None:
    weights = random_weights(tags=5)
    write_checkpoint(tmp_path, weights)
    mel = np.random.default_rng(1).uniform(0, 3, (2, 187, 96)).astype(np.float32)
    with torch.inference_mode():
        found = load_tagger(tmp_path)(torch.from_numpy(mel)).numpy()
    expected = np.stack([run_musicnn(weights, window) for window in mel])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    weights = random_weights(tags=5)
    del weights["conv2d_6/bias"]
    write_checkpoint(tmp_path, weights)
    with pytest.raises(CheckpointError, match=r"not a musicnn checkpoint: 'conv2d_6/bias'"):
        load_tagger(tmp_path)


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
    assert len(Teacher(tmp_path / "cache").classes) == 5
