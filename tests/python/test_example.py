"""The clip that ships, and the command that analyses it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import main
from untrained import UNTRAINED


def analyze(out: Path, *arguments: str | Path) -> int:
    options = ("-o", out, "--model", UNTRAINED, "--workers", "1", "--block", "1")
    options += ("--format", "files")
    return main(["analyze", *map(str, (*arguments, *options))])


def test_the_clip_is_half_a_minute_of_music() -> None:
    path = maest.example_audio()
    assert path.stat().st_size < 500_000
    samples, rate = soundfile.read(path, always_2d=True)
    assert rate == 44100
    assert samples.shape[1] == 2
    assert 29.5 < len(samples) / rate <= 30
    assert 0.5 < np.abs(samples).max() < 0.99  # neither clipped nor faint
    loudness = np.sqrt(np.mean(samples[: 28 * rate].reshape(28, -1) ** 2, axis=1))
    assert loudness.min() > 0.03  # no second is silent
    assert np.abs(samples[-rate // 100 :]).max() < 1e-3  # it fades out
    assert not np.array_equal(samples[:, 0], samples[:, 1])
    # what Essentia decodes makes three segments of 10 s, not four
    assert 29.5 * 16000 < len(maest.load_audio(path)) <= 30 * 16000


def test_the_licence_note_is_that_of_the_clip() -> None:
    path = maest.example_audio()
    note = path.with_name("README.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in note
    assert "CC0 1.0" in note
    assert "MIT" in note


def test_analyze_example(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert analyze(tmp_path, "--example") == 0
    captured = capfd.readouterr()
    assert len(captured.out.splitlines()) == 5  # the strongest labels
    assert "1 analysed (0.5 min of audio), 0 failed" in captured.err
    written = json.loads((tmp_path / "example.ogg.json").read_text())
    assert written["track"] == str(maest.example_audio())
    assert len(written["segments"]) == 3
    assert captured.out.split()[0] == written["top"][0]["label"]
    expected = maest.Model(UNTRAINED).predict(
        maest.load_audio(maest.example_audio()), tail="repeat"
    )
    np.testing.assert_array_equal(np.load(tmp_path / "example.ogg.predictions.npy"), expected)


def test_analyze_example_beside_other_music(tmp_path: Path) -> None:
    write_audio(tmp_path / "in" / "a.wav")
    assert analyze(tmp_path / "out", tmp_path / "in", "--example") == 0
    assert (tmp_path / "out" / "in" / "a.wav.json").is_file()
    assert (tmp_path / "out" / "example.ogg.json").is_file()


def test_analyze_wants_music(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert analyze(tmp_path / "out") == 2
    captured = capfd.readouterr()
    wanted = "maest: analyze: no PATH found; wanted one or more, --from-file or --example\n"
    assert captured.err == wanted
    assert not (tmp_path / "out").exists()
