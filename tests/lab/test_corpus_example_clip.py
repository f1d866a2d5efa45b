"""The clip that ships: what is written down is what is played, the same bytes each time."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lab.corpus import example_clip
from lab.corpus.example_clip import FONT, STYLE, chart, make_example_clip, melody
from lab.corpus.genres import GENRES
from lab.corpus.plans import deal
from rendering_fixtures import make_fonts, make_programs
from training.errors import DataError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    make_programs(folder, tmp_path / "tools")
    make_fonts(folder, {FONT.package: FONT.path})
    style = folder / "debian" / "mma" / "usr" / "share" / "mma" / "lib" / f"{STYLE}.mma"
    style.write_text("Time 4\nTimeSig 4 4\nDefGroove SwingWalk\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    return folder


def vorbis(seconds: float) -> bytes:
    file = io.BytesIO()
    tone = 0.5 * np.sin(np.arange(round(8000 * seconds)) * 0.3)
    soundfile.write(file, tone, 8000, format="OGG", subtype="VORBIS")
    return file.getvalue()


def test_the_piece_is_sixteen_bars_of_chords_with_a_melody() -> None:
    bars = [line for line in chart().splitlines() if line[:1].isdigit()]
    assert [int(line.split()[0]) for line in bars] == list(range(1, 17))
    assert f"Use {STYLE}\n" in chart()
    notes = melody()
    assert all(start + length <= later for (start, length, *_), (later, *_) in pairwise(notes))
    assert notes[0] == (0.0, 0.9, 72, 120)  # C5
    assert notes[2][:3] == (1 + 2 / 3, pytest.approx(0.9 / 3), 65)  # F4, the second of two eighths
    assert notes[-1][:3] == (60.0, pytest.approx(3.6), 72)
    assert 62 <= min(note[2] for note in notes) <= max(note[2] for note in notes) <= 80


def test_no_model_was_trained_on_its_style() -> None:
    # The genre's style files in MMA 21.09, by library.
    files = {
        "casio": "fastbigband middlebigband slowbigband slowswing swing",
        "stdlib": "bigband easyswing fastswing strut swing",
        "yamaha": "jazzbasie jazzswing",
    }
    names = [f"{library}/{name}" for library, each in files.items() for name in each.split()]
    assert {GENRES[name.split("/")[1]] for name in names} == {"swing"}
    assert deal(names)[STYLE] == "test"


def test_the_clip_is_made_the_same_each_time(cache: Path, tmp_path: Path) -> None:
    path = make_example_clip(tmp_path / "a.ogg", cache=cache)
    samples, rate = soundfile.read(path, always_2d=True)
    assert (rate, samples.shape) == (44100, (round(29.95 * 44100), 2))
    assert 0.75 < np.abs(samples).max() < 0.9
    middle, end = samples[10 * rate : 11 * rate], samples[-rate // 2 :]
    assert np.std(middle) > 0.5
    assert np.std(end) < 0.1 * np.std(middle)
    again = make_example_clip(tmp_path / "b.ogg", cache=cache)
    assert again.read_bytes() == path.read_bytes()
    assert sorted(each.name for each in tmp_path.glob("*.ogg*")) == ["a.ogg", "b.ogg"]


def test_what_is_too_short_or_cannot_be_written_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"nowhere/a\.ogg cannot be written: No such file"):
        make_example_clip(tmp_path / "nowhere" / "a.ogg", cache=cache)
    monkeypatch.setattr(example_clip, "SECONDS", 60.0)
    with pytest.raises(DataError, match=r"gave 30\.0 s with a peak of 0\.20; wanted sound, 60 s"):
        make_example_clip(tmp_path / "a.ogg", cache=cache)
    assert not (tmp_path / "a.ogg").exists()


def test_a_serial_number_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "drawn.ogg"
    made = []
    for _ in range(2):
        path.write_bytes(vorbis(2))
        made.append(b"".join(example_clip._with_one_serial_number(path)))
    assert made[0] == made[1] != path.read_bytes()
    assert made[0][14:18] == (1).to_bytes(4, "little")
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(made[0]))[0], soundfile.read(path)[0])
