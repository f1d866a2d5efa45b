"""Charts, tunes, MIDI and rendering: what is labelled is what is played."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.corpus.charts import draw_chart, draw_melody
from lab.corpus.fluidsynth import TEST_FONT, TRAINING_FONTS, Fluidsynth, find_fluidsynth
from lab.corpus.genres import GENRES
from lab.corpus.midi import (
    add_part,
    double_part,
    end_hanging_notes,
    instruments_heard,
    read_midi,
)
from lab.corpus.mma import Mma, Style
from lab.corpus.plans import deal, plan_rendered
from lab.corpus.rendered import Recipe, Renderer, style_metre, tempo_band, tune_metre
from lab.corpus.tunes import Tune, read_tunes, split_tunes, tempo_range, with_tempo
from rendering_fixtures import make_fonts, make_programs
from training.errors import DataError

STYLE = Style("stdlib/rock1", ("Rock1", "Rock2"), 4, (4, 4))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_programs(tmp_path / "cache", tmp_path / "tools")
    make_fonts(
        tmp_path / "cache", {font.package: font.path for font in (*TRAINING_FONTS, TEST_FONT)}
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "cache"


def piece(*parts: tuple[int, int, float]) -> mido.MidiFile:
    """Tracks of one note each: (channel, program, seconds), at 120 beats per minute."""
    midi = mido.MidiFile(ticks_per_beat=100)
    for channel, program, seconds in parts:
        track = mido.MidiTrack()
        track.append(mido.Message("program_change", channel=channel, program=program))
        track.append(mido.Message("note_on", channel=channel, note=60, velocity=80))
        ticks = round(200 * seconds)
        track.append(mido.Message("note_on", channel=channel, note=60, velocity=0, time=ticks))
        midi.tracks.append(track)
    return midi


def test_an_instrument_counts_when_it_is_heard_long_enough() -> None:
    midi = piece((0, 24, 3.1), (1, 40, 2.9), (2, 73, 60.0), (3, 120, 9.0))
    assert instruments_heard(midi, 30) == ("acoustic guitar", "flute")
    assert instruments_heard(midi, 3.0) == ("acoustic guitar", "flute")
    assert instruments_heard(midi, 2.5) == ()


def test_drums_count_by_their_strokes_and_have_no_program() -> None:
    midi = piece((9, 24, 20.0))
    assert instruments_heard(midi, 30) == ()
    track = midi.tracks[0]
    for _ in range(7):
        track.append(mido.Message("note_on", channel=9, note=38, velocity=80, time=10))
        track.append(mido.Message("note_off", channel=9, note=38, time=1))
    assert instruments_heard(midi, 30) == ("drums",)


def test_a_part_added_is_played_in_a_channel_of_its_own() -> None:
    midi = piece((0, 24, 10.0), (1, 32, 10.0))
    assert instruments_heard(midi, 30) == ("acoustic guitar", "bass")
    add_part(midi, 56, [(0.0, 4.0, 70, 90), (4.0, 4.0, 72, 90)])
    assert instruments_heard(midi, 30) == ("acoustic guitar", "bass", "brass")
    notes = [message for message in midi.tracks[-1] if message.type == "note_on"]
    assert [(note.channel, note.note, note.time) for note in notes] == [(2, 70, 0), (2, 72, 0)]
    assert midi.length == 10.0


def test_a_part_is_left_out_when_every_channel_is_taken() -> None:
    midi = piece(*((channel, 0, 1.0) for channel in range(16)))
    add_part(midi, 56, [(0.0, 20.0, 70, 90)])
    assert len(midi.tracks) == 16


def test_doubling_plays_the_same_notes_higher() -> None:
    midi = piece((0, 40, 10.0))
    double_part(midi, 73, 1)
    assert instruments_heard(midi, 30) == ("flute", "strings")
    assert {message.note for message in midi.tracks[-1] if message.type == "note_on"} == {72}


def test_a_note_without_an_end_ends_with_its_track(tmp_path: Path) -> None:
    midi = piece((0, 73, 1.0), (1, 40, 1.0))
    track = midi.tracks[0]
    track.append(mido.Message("note_on", channel=0, note=62, velocity=80, time=10))
    track.append(mido.MetaMessage("end_of_track", time=90))
    ended = list(midi.tracks[1])
    end_hanging_notes(midi)
    assert midi.tracks[1] == ended
    assert track[-2:] == [
        mido.Message("note_off", channel=0, note=62, time=90),
        mido.MetaMessage("end_of_track", time=0),
    ]
    midi.save(tmp_path / "piece.mid")
    assert read_midi(tmp_path / "piece.mid").length == pytest.approx(1.5)


def test_a_damaged_midi_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"MThd\0\0\0\6\0\1")
    with pytest.raises(DataError, match=r"bad\.mid cannot be read as MIDI"):
        read_midi(tmp_path / "bad.mid")


@given(st.integers(0, 10**6), st.sampled_from([3, 4, 5, 6]), st.floats(10, 60))
def test_charts_last_long_enough_and_melodies_fit_them(
    seed: int, beats: int, seconds: float
) -> None:
    style = Style("stdlib/waltz", ("Waltz",), beats, None)
    chart = draw_chart(style, seconds, np.random.default_rng(seed))
    bars = [line for line in chart.text.splitlines() if line[:1].isdigit()]
    assert len(bars) == len(chart.chords)
    assert len(bars) * beats * 60 / chart.tempo >= seconds
    assert f"Tempo {chart.tempo}\n" in chart.text
    notes = draw_melody(chart, np.random.default_rng(seed))
    ends = [start + length for start, length, _, _ in notes]
    assert all(end <= start for end, (start, *_) in zip(ends, notes[1:], strict=False))
    assert not notes or ends[-1] <= len(bars) * beats
    for start, _, pitch, velocity in notes:
        root, minor = chart.chords[int(start // beats)]
        if start % beats == 0:
            assert (pitch - root) % 12 in {0, 3 if minor else 4, 7}
        assert 40 <= pitch <= 100
        assert 1 <= velocity <= 127


def test_the_same_draw_gives_the_same_chart() -> None:
    charts = [draw_chart(STYLE, 33, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert charts[0] == charts[1] != charts[2]
    assert "RndSeed" in charts[0].text


def test_style_files_are_read(cache: Path) -> None:
    styles = {style.name: style for style in Mma(cache).styles}
    assert set(styles) == {
        "casio/broken",
        "casio/softrock",
        "casio/unknown",
        "stdlib/rock1",
        "stdlib/rock2",
        "stdlib/slowrock",
    }
    assert styles["stdlib/rock1"] == Style("stdlib/rock1", ("Rock1",), 4, (4, 4))
    assert styles["stdlib/rock2"].grooves == ("Rock2", "SlowCountry")
    assert styles["casio/softrock"] == Style("casio/softrock", ("Descending",), 4, (4, 4))
    assert styles["casio/unknown"].signature == (6, 8)


def test_mma_tells_why_it_refuses(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mma refuses a chart: Error: no such groove"):
        Mma(cache).play("Tempo 90\nUse no/where\n1 C\n", tmp_path / "out.mid")


@pytest.mark.parametrize(
    ("style", "metre"),
    [
        (Style("a/x", ("X",), 4, None), "quadruple"),
        (Style("a/x", ("X",), 3, (4, 4)), "triple"),
        (Style("a/x", ("X",), 2, (6, 8)), "compound"),
        (Style("a/blues128", ("X",), 4, (4, 4)), "compound"),
        (Style("a/x", ("X",), 5, (5, 4)), None),
    ],
)
def test_metre_of_a_style(style: Style, metre: str | None) -> None:
    assert style_metre(style) == metre


def test_names_of_metres_and_tempi() -> None:
    written = {"C|": "quadruple", "C": "quadruple", "2/4": "quadruple", "3/4": "triple"}
    written |= {"3/8": "triple", "6/8": "compound", "9/8": "compound", "12/8": "compound"}
    assert {name: tune_metre(name) for name in written} == written
    tempi = {60: "below 80", 79.9: "below 80", 80: "80 to 110", 139: "110 to 140"}
    assert {tempo: tempo_band(tempo) for tempo in tempi} == tempi
    assert tempo_band(140) == tempo_band(300) == "140 and above"


def test_a_genre_has_files_for_every_split() -> None:
    files = defaultdict(list)
    for file, genre in GENRES.items():
        files[genre].append(file)
    # two libraries have a foxtrot and a quickstep each
    assert {genre for genre, names in files.items() if len(names) < 3} == {"foxtrot and quickstep"}


def test_tunes_are_split_and_their_settings_brought_together(cache: Path) -> None:
    tunes = {tune.identity: tune for tune in read_tunes(cache)}
    assert len(tunes) == 8  # the air is of no kind that is wanted
    assert tunes["ryansMammoth/a-3"].work == tunes["oneills1850/b-7"].work == "tune 3"
    assert tunes["oneills1850/b-8"].kind == "slip jig"
    assert tempo_range(tunes["oneills1850/b-7"])[1] * 2 == tempo_range(tunes["ryansMammoth/a-3"])[1]
    text = with_tempo(tunes["oneills1850/b-7"], 95, 21)
    header, body = text.split("K:D\n")
    assert "Q:1/4=95\n" in header
    assert body == "%%MIDI program 21\n" + 2 * "ABcd efga|fedc B4:|\n"


def test_a_tune_without_a_key_is_left_out() -> None:
    assert split_tunes("X:1\nT:No key\nR:reel\nM:C\nABc\n", "book") == []
    assert split_tunes("no tune at all", "book") == []


@given(st.sets(st.text(max_size=8), min_size=3, max_size=60))
def test_every_split_gets_names_and_no_name_gets_two(names: set[str]) -> None:
    splits = deal(names)
    assert splits.keys() == names
    counts = {
        split: list(splits.values()).count(split) for split in ("train", "test", "validation")
    }
    assert counts["test"] == counts["validation"] == max(1, round(len(names) / 6))
    assert counts["train"] >= 1
    assert deal(sorted(names, reverse=True)) == splits


def test_no_work_or_style_file_is_in_two_splits() -> None:
    tunes = [
        Tune(f"book/{number}", f"work {number // 3}", "reel", "C|", "") for number in range(90)
    ]
    styles = [f"stdlib/{name}" for name in ("rock1", "rock2", "slowrock", "swing", "odd")]
    styles += ["casio/swing", "stdlib/bigband"]
    recipes = plan_rendered(styles, tunes, style_tracks=3, tunes_of_a_kind=80)
    assert len({recipe.identity for recipe in recipes}) == len(recipes) == 3 * len(styles) + 80
    splits = defaultdict(set)
    for recipe in recipes:
        splits[recipe.group].add(recipe.split)
    assert all(len(found) == 1 for found in splits.values())
    held = {group for group, found in splits.items() if found != {"train"} and "style" in group}
    assert len(held) == 4  # rock and swing: one of each to validation, one to the test
    assert splits["style/stdlib/odd"] == {"train"}


def test_a_track_is_what_its_labels_say(cache: Path) -> None:
    renderer = Renderer(cache, seed=3)
    recipe = Recipe("style", "stdlib/slowrock", 0, "style/stdlib/slowrock", "train")
    made = renderer.make(recipe)
    assert len(made.audio) == 30 * 16000
    assert made.audio.dtype == np.float32
    decibels = 20 * np.log10(np.sqrt(np.mean(made.audio**2)))
    assert -28.1 <= decibels <= -13.9
    assert {"Genre---rock", "Metre---quadruple", "Instrument---acoustic guitar"} <= set(made.tags)
    assert {tag.split("---")[0] for tag in made.tags} == set(made.families)
    again = Renderer(cache, seed=3).make(recipe)
    np.testing.assert_array_equal(again.audio, made.audio)
    assert again.tags == made.tags


@pytest.mark.slow
def test_a_tune_has_no_tempo_and_the_test_split_its_own_font(cache: Path) -> None:
    renderer = Renderer(cache, seed=0)
    fonts = defaultdict(set)
    for split in ("train", "validation", "test"):
        for number in range(6 if split == "train" else 2):
            made = renderer.make(Recipe("tune", "oneills1850/b-8", number, "work/quick", split))
            fonts[split].add(made.font)
            assert {"Genre---slip jig", "Metre---compound"} <= set(made.tags)
            assert set(made.families) == {"Genre", "Metre", "Instrument"}
    assert fonts["test"] == {TEST_FONT.name}
    assert TEST_FONT.name not in fonts["train"] | fonts["validation"]
    assert len(fonts["train"]) > 1


def test_what_a_style_does_not_say_is_not_known(cache: Path) -> None:
    made = Renderer(cache, seed=0).make(Recipe("style", "casio/unknown", 0, "g", "train"))
    assert set(made.families) == {"Metre", "Instrument"}


def test_fluidsynth_tells_why_it_fails(tmp_path: Path) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\necho no such font >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(DataError, match="fluidsynth refuses .*no such font"):
        Fluidsynth(str(program)).render(tmp_path / "x.mid", tmp_path / "y.sf2")
    with pytest.raises(DataError, match="fluidsynth cannot be run"):
        Fluidsynth(str(tmp_path / "nowhere")).render(tmp_path / "x.mid", tmp_path / "y.sf2")


def test_fluidsynth_comes_with_its_libraries_when_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "cache" / "debian"
    (packages / "fluidsynth" / "usr" / "bin").mkdir(parents=True)
    (packages / "fluidsynth" / "usr" / "bin" / "fluidsynth").write_text("")
    library = packages / "libfluidsynth3" / "usr" / "lib" / "some-linux-gnu"
    library.mkdir(parents=True)
    (library / "libfluidsynth.so.3").write_text("")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "apt-get").write_text(
        "#!/bin/sh\necho 'Reading...'\necho 'Inst libfluidsynth3 (2.3 Debian)'\n"
        "echo 'Inst fluidsynth (2.3 Debian)'\necho 'Conf fluidsynth (2.3 Debian)'\n"
    )
    (tools / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/bin")
    if (Path("/bin") / "fluidsynth").exists():
        monkeypatch.setenv("PATH", str(tools))
    found = find_fluidsynth(tmp_path / "cache")
    assert found.program == str(packages / "fluidsynth" / "usr" / "bin" / "fluidsynth")
    assert found.libraries == (str(library),)
