"""`maest similar`: what is printed of a collection for one of its tracks, and for other files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import ALL_DONE, BAD_USAGE, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.library.finding import find_track
from essentia_maest.library.variety import varied
from results_folders import on_a_circle, write_results
from untrained import UNTRAINED

NAMES = ["a/one.mp3", "a/two.mp3", "b/three.mp3", "b/Four.mp3", "b/one copy.mp3"]


@pytest.fixture
def out(tmp_path) -> Path:
    return write_results(
        tmp_path / "out",
        NAMES,
        embeddings=on_a_circle([0, 10, 30, 90, 0]),
        predictions=np.array(
            [
                [0.9, 0.1, 1, 0],
                [0.95, 0.2, 1, 0],
                [0.1, 0.9, 1, 0],
                [0.1, 0.1, 1, 0.5],
                [0.9, 0.1, 1, 0],
            ],
            np.float32,
        ),
        audio=["A", "B", "C", "D", "A"],
    )


def asked(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["similar", *map(os.fspath, arguments)])
    return (code, *capsys.readouterr())


def test_the_nearest_come_first_and_copies_do_not(out, capsys):
    code, found, _ = asked(capsys, out, "a/one.mp3", "-k", "2")
    assert code == ALL_DONE
    assert found.splitlines() == [
        "0.985  /music/a/two.mp3  (Genre---jazz)",
        "0.866  /music/b/three.mp3",
    ]
    code, found, told = asked(capsys, out, "one copy", "--json")
    assert [entry["path"] for entry in json.loads(found)["similar"]] == [
        "/music/a/two.mp3",
        "/music/b/three.mp3",
        "/music/b/Four.mp3",
    ]
    assert "3 other tracks are all that can be found (10 asked for)" in told


def test_a_library_that_was_moved(out, capsys, tmp_path):
    _, found, _ = asked(capsys, out, "four", "-k", "1", "--root", tmp_path / "moved")
    assert str(tmp_path / "moved" / "b" / "three.mp3") in found


def test_without_predictions_there_are_no_labels(tmp_path, capsys):
    out = write_results(tmp_path, NAMES[:2], embeddings=on_a_circle([0, 60]))
    assert asked(capsys, out, "two")[:2] == (ALL_DONE, "0.500  /music/a/one.mp3\n")


def test_one_track_has_no_neighbours(tmp_path, capsys):
    out = write_results(tmp_path, NAMES[:1], embeddings=on_a_circle([0]))
    code, found, told = asked(capsys, out, "one")
    assert (code, found) == (ALL_DONE, "")
    assert "0 other tracks are all" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["one"], "2 tracks found; wanted: one of them\n  a/one.mp3\n  b/one copy.mp3"),
        (["a/won"], "no such track found; the closest:\n  a/two.mp3\n  a/one.mp3"),
        ([""], "an empty name"),
        (["two", "-k", "0"], "k is 0; 1 or more wanted"),
        (["two", "--mmr", "1.5"], "mmr is 1.5; wanted: 0 to 1"),
        (["two", "--mmr", "nan"], "mmr is nan; wanted: 0 to 1"),
    ],
)
def test_what_cannot_be_asked(out, capsys, arguments, words):
    code, found, told = asked(capsys, out, *arguments)
    assert (code, found) == (BAD_USAGE, "")
    assert words in told


def test_folders_that_cannot_be_asked(tmp_path, capsys):
    assert "no tables found" in asked(capsys, tmp_path, "x")[2]
    plain = write_results(tmp_path / "plain", NAMES[:1], predictions=np.zeros((1, 4), np.float32))
    assert "no embedding found; they were not computed" in asked(capsys, plain, "one")[2]
    for name, other in (("same width", 2), ("another", 3)):
        mixed = write_results(tmp_path / name, NAMES[:1], embeddings=on_a_circle([0]))
        vectors = np.ones((1, other), np.float32)
        write_results(mixed, NAMES[1:2], embeddings=vectors, sha256="1" * 64)
        code, _, told = asked(capsys, mixed, "one")
        assert code == BAD_USAGE
        assert "tested (sha256 000000000000)" in told
        assert "tested (sha256 111111111111)" in told
    two = write_results(tmp_path / "two", ["a.mp3"], embeddings=on_a_circle([0]))
    write_results(two, ["b.mp3"], root="/other", embeddings=on_a_circle([9]))
    assert "tracks of 2 folders found" in asked(capsys, two, "a.mp3", "--root", tmp_path)[2]
    odd = write_results(tmp_path / "odd", NAMES[:2], embeddings=on_a_circle([0, np.nan]))
    assert "all zero, or not finite" in asked(capsys, odd, "two")[2]
    assert asked(capsys, odd, "one")[1] == ""


def test_variety(out, capsys):
    _, found, _ = asked(capsys, out, "a/one.mp3", "-k", "2", "--mmr", "0.3")
    assert [line.split()[1] for line in found.splitlines()] == [
        "/music/a/two.mp3",
        "/music/b/Four.mp3",
    ]


def test_maximal_marginal_relevance_is_as_its_paper_has_it():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 5)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearness = unit @ unit[0]
    for balance in (0.0, 0.4, 1.0):
        chosen = [int(nearness.argmax())]
        while len(chosen) < 8:
            left = [row for row in range(30) if row not in chosen]
            worth = [
                balance * nearness[row]
                - (1 - balance) * max(unit[row] @ unit[one] for one in chosen)
                for row in left
            ]
            chosen.append(left[int(np.argmax(worth))])
        assert varied(vectors, nearness, 8, balance).tolist() == chosen
    assert varied(vectors, nearness, 50, 1.0).tolist() == np.argsort(-nearness).tolist()
    with pytest.raises(InvalidArgumentError, match="k is 0"):
        varied(vectors, nearness, 0, 1.0)


# --- which track is meant -----------------------------------------------------------------------


def test_how_a_track_is_named(tmp_path, monkeypatch):
    names = ["x/Song.mp3", "x/song.mp3", "y/song two.mp3", os.fsdecode(b"y/caf\xe9.mp3")]
    files = [str(tmp_path / name) for name in names]
    monkeypatch.chdir(tmp_path)
    for row, name in enumerate(names):
        assert find_track(name, files, names) == row
        assert find_track(files[row], files, names) == row
    monkeypatch.chdir("/")
    assert find_track("Song.mp3", files, names) == 0  # case decides between several
    assert find_track("SONG TWO", files, names) == 2
    with pytest.raises(InvalidArgumentError, match=r"3 tracks found"):
        find_track("SONG", files, names)
    with pytest.raises(InvalidArgumentError, match=r"^nothing of it: no such track found$"):
        find_track("nothing of it", files, names)
    with pytest.raises(InvalidArgumentError, match=r"closest:\n  y/caf.udce9.mp3$"):
        find_track("café", files, names)
    many = [f"{number}.mp3" for number in range(30)]
    with pytest.raises(InvalidArgumentError, match="and 20 more"):
        find_track(".mp3", many, many)


# --- files outside of the collection ------------------------------------------------------------


@pytest.fixture(scope="module")
def analysed(tmp_path_factory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("analysed")
    for number in range(3):
        write_audio(place / "music" / f"{number}.wav", 3.0 + number, 16000, 1, seed=number)
    shutil.copy(UNTRAINED, place / "model.onnx")
    options = ["--block", "1", "--workers", "1", "--hop", "1.5", "--quiet"]
    files = [place / "music", "-o", place / "out", "--model", place / "model.onnx"]
    assert main(["analyze", *map(str, files), *options]) == ALL_DONE
    return place, place / "out"


def test_another_file_is_analysed_as_the_collection_was(analysed, tmp_path, capsys):
    place, out = analysed
    for number in range(3):  # the same audio by another decoder's way: its hash is another
        path = write_audio(tmp_path / "other.flac", 3.0 + number, 16000, 1, seed=number)
        code, found, told = asked(capsys, out, path, "-k", "1", "--json")
        assert code == ALL_DONE, told
        (nearest,) = json.loads(found)["similar"]
        assert nearest["path"] == str(place / "music" / f"{number}.wav")
        assert nearest["score"] > 0.999


def test_a_copy_of_a_track_is_no_neighbour_of_it_and_needs_no_model(analysed, tmp_path, capsys):
    place, out = analysed
    shutil.copy(place / "music" / "1.wav", tmp_path / "copy.wav")
    _, found, _ = asked(capsys, out, tmp_path / "copy.wav", "--json", "--model", "nothing")
    inside = asked(capsys, out, "1.wav", "--json")[1]
    assert json.loads(found)["similar"] == json.loads(inside)["similar"]


def test_another_model_is_refused(analysed, tmp_path, capsys):
    place, out = analysed
    path = write_audio(tmp_path / "other.wav", 2.0, 16000, 1, seed=9)
    sha256 = maest.open_results(out).info["model"]["sha256"]
    code, _, told = asked(capsys, out, path, "--model", "default")
    assert code == BAD_USAGE
    assert f"with sha256 {sha256}; found: " in told
    assert "Wanted to analyse a file outside" in told
    moved = place / "elsewhere.onnx"
    (place / "model.onnx").rename(moved)
    try:
        assert asked(capsys, out, path)[0] == BAD_USAGE
        assert asked(capsys, out, path, "--model", moved)[0] == ALL_DONE
    finally:
        moved.rename(place / "model.onnx")


def test_what_is_no_audio_is_said(analysed, tmp_path, capsys):
    (tmp_path / "text.mp3").write_text("no music" * 99)
    code, _, told = asked(capsys, analysed[1], tmp_path / "text.mp3")
    assert code == BAD_USAGE
    assert "text.mp3" in told
