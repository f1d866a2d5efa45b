"""Damaged files of every format: what was done is kept, and what is heard of them is the same."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from audio_fixtures import write_audio
from essentia_maest import AudioFile, load_audio
from ffmpeg_files import convert
from lab.formats import damage, damage_worker


@pytest.fixture
def few(tmp_path, monkeypatch) -> None:
    """Two small files, in batches of three."""
    monkeypatch.setattr(damage, "_AT_ONCE", 3)
    monkeypatch.setattr(damage, "FORMATS", {"wav": "no recipe", "flac": "no recipe"})
    rng = np.random.default_rng(0)
    for name in damage.FORMATS:
        folder = tmp_path / "sound" / name
        folder.mkdir(parents=True)
        soundfile.write(folder / f"a.{name}", rng.normal(0, 0.1, (16000, 2)), 44100)


def test_a_run_goes_on_where_it_was(tmp_path, few, monkeypatch):
    table = damage.damage_formats(tmp_path, count=3, seed=5)
    once = (tmp_path / "answers" / "wav-5.jsonl").read_text()
    assert once.count('"outcome"') == 3
    damage.damage_formats(tmp_path, count=7, seed=5)
    more = (tmp_path / "answers" / "wav-5.jsonl").read_text()
    assert more.startswith(once)
    assert more.count('"outcome"') == 7
    rows = [line.split(" | ")[:2] for line in table.read_text().splitlines() if " | 7 | " in line]
    assert rows == [["| wav", "7"], ["| flac", "7"]]
    # All is done: nothing is decoded any more.
    monkeypatch.setattr(damage, "_follow", pytest.fail)
    damage.damage_formats(tmp_path, count=7, seed=5)
    # Time that is over begins nothing.
    damage.damage_formats(tmp_path, count=7, seed=6, minutes=1e-9)
    assert not (tmp_path / "answers" / "wav-6.jsonl").exists()


def test_what_is_heard_otherwise_is_seen(tmp_path, few):
    path = tmp_path / "sound" / "flac" / "a.flac"
    whole = load_audio(path)
    with AudioFile(path) as file:
        assert damage_worker._heard_otherwise(file, whole) == ""
        assert damage_worker._heard_otherwise(file, whole[:-1]) == "length"
        assert damage_worker._heard_otherwise(file, whole + np.float32(1e-6)) == "sound"


@pytest.mark.parametrize(("other", "mp3"), [("sound", "complete"), ("length", "odd error")])
def test_only_of_mp3_another_sound_in_part_is_no_error(tmp_path, monkeypatch, other, mp3):
    monkeypatch.setattr(damage_worker, "_heard_otherwise", lambda file, whole: other)
    monkeypatch.setattr(damage_worker, "_say", lambda words: None)
    song = write_audio(tmp_path / "a.flac", 3.0)
    lossy = convert(song, tmp_path / "a.mp3", "-c:a", "libmp3lame")
    outcomes = damage.Outcomes()
    found = [damage_worker._decoded(path) for path in (song, lossy)]
    for answer in found:
        outcomes.add({}, answer)
    assert [answer["outcome"] for answer in found] == ["odd error", mp3]
    assert outcomes.other_in_part == (other == "sound")
