"""`maest playlist`: ways through a collection, and the files that players read."""

from __future__ import annotations

import os
from itertools import combinations, pairwise
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlparse

import mutagen
import numpy as np
import pytest

from audio_fixtures import write_audio
from essentia_maest.commands.cli import ALL_DONE, BAD_USAGE, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.library.neighbours import Neighbours
from essentia_maest.library.playlist_file import Entry, m3u8
from essentia_maest.library.route import route, walk
from results_folders import on_a_circle, write_results

# From 0 to 90 degrees in steps of 5, in no order; then some on the other side.
DEGREES = [*np.random.default_rng(0).permutation(np.arange(0, 91, 5)).tolist(), 180, 200, 300]
NAMES = [f"{int(degrees) % 2}/{degrees}.mp3" for degrees in DEGREES]


@pytest.fixture
def out(tmp_path) -> Path:
    return write_results(tmp_path / "out", NAMES, embeddings=on_a_circle(DEGREES))


def asked(capsys, *arguments) -> tuple[int, list[str], str]:
    capsys.readouterr()
    code = main(["playlist", *map(os.fspath, arguments)])
    printed, told = capsys.readouterr()
    lines = printed.splitlines()
    assert lines[:1] in ([], ["#EXTM3U"])
    return code, [os.path.basename(line) for line in lines if not line.startswith("#")], told


def test_the_way_is_made_of_even_steps(out, capsys):
    code, found, _ = asked(capsys, out, "--from", "/0.mp3", "--to", "/90.mp3", "-n", "7")
    assert code == ALL_DONE
    assert found == [f"{degrees}.mp3" for degrees in range(0, 91, 15)]
    back = asked(capsys, out, "--from", "/90.mp3", "--to", "/0.mp3", "-n", "7")[1]
    assert back == found[::-1]


def test_the_steps_are_the_best_there_are():
    """Every choice that goes ahead is tried."""
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((12, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1))
    ahead = angles[0] / (angles[0] + angles[1])
    others = sorted(range(2, 12), key=lambda row: ahead[row])

    def cost(way: list[int]) -> float:
        return sum(angles[one, other] ** 2 for one, other in pairwise(way))

    best = min(([0, *some, 1] for some in combinations(others, 4)), key=cost)
    found = route(vectors, Neighbours(vectors), 0, 1, 6)
    assert cost(found) == pytest.approx(cost(best))
    assert found == best


def test_no_track_and_no_audio_comes_twice(tmp_path, capsys):
    audio = [f"{degrees}" for degrees in DEGREES]
    doubled = write_results(
        tmp_path,
        [*NAMES, *(f"copy/{name}" for name in NAMES)],
        embeddings=np.tile(on_a_circle(DEGREES), (2, 1)),
        audio=[*audio, *audio],
    )
    code, found, told = asked(
        capsys, doubled, "--from", f"copy/{NAMES[0]}", "--to", f"copy/{NAMES[1]}", "-n", "50"
    )
    assert code == ALL_DONE
    assert sorted(found) == sorted(map(os.path.basename, NAMES))
    assert f"{len(NAMES)} tracks are all that there are (50 asked for)" in told
    code, _, told = asked(capsys, doubled, "--from", NAMES[0], "--to", f"copy/{NAMES[0]}")
    assert code == BAD_USAGE


def test_like_one(out, capsys):
    found = asked(capsys, out, "--like", "/45.mp3", "-n", "5")[1]
    assert found[0] == "45.mp3"
    assert set(found) == {f"{degrees}.mp3" for degrees in (35, 40, 45, 50, 55)}
    assert asked(capsys, out, "--like", "/45.mp3", "-n", "1")[1] == ["45.mp3"]


@pytest.mark.parametrize("how", [["--from", "/0.mp3", "--to", "/90.mp3"], ["--like", "/45.mp3"]])
def test_folders_apart(out, capsys, how):
    found = asked(capsys, out, *how, "-n", "9", "--apart", "folder")[1]
    sides = [int(name.removesuffix(".mp3")) % 2 for name in found]
    assert len(set(found)) == len(found) == 9
    assert all(one != other for one, other in pairwise(sides))


def test_artists_apart(tmp_path, capsys):
    names = [f"{number}.flac" for number in range(6)]
    for number, name in enumerate(names):
        file = mutagen.File(write_audio(tmp_path / name, 0.1, 16000, 1), easy=True)
        file["artist"] = "A" if number < 3 else "B"
        file.save()
    out = write_results(
        tmp_path / "out", names, root=str(tmp_path), embeddings=on_a_circle(range(0, 60, 10))
    )
    found = asked(capsys, out, "--like", "0.flac", "-n", "6", "--apart", "artist")[1]
    assert ["AB"[int(name[0]) // 3] for name in found] == ["A", "B"] * 3


def test_where_all_are_of_one_group_they_follow_each_other():
    assert walk([3, 1, 2], 3, groups_of=lambda rows: ["same"] * len(rows)) == [3, 1, 2]
    assert walk([3, 1, 2], 3, groups_of=lambda rows: [None] * len(rows)) == [3, 1, 2]
    vectors = on_a_circle([0, 10, 20])
    search = Neighbours(vectors)
    assert route(vectors, search, 0, 2, 3, groups_of=lambda rows: [1] * len(rows)) == [0, 1, 2]


@pytest.mark.parametrize("end", [0.0, 180.0, 1e-4])
def test_ends_that_are_alike_or_opposite(end):
    vectors = on_a_circle([0, end, 50, 60, 300])
    found = route(vectors, Neighbours(vectors), 0, 1, 4)
    assert found[0] == 0
    assert found[-1] == 1
    assert len(set(found)) == 4


def test_more_than_lie_near_the_arc():
    """All but the ends are in one place: more are taken than are looked at first."""
    vectors = on_a_circle([0, 90, *np.linspace(40, 41, 200)])
    found = route(vectors, Neighbours(vectors), 0, 1, 150)
    assert len(set(found)) == 150


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "wanted: --from A and --to B, or --like TRACK"),
        (["--from", "/0.mp3"], "wanted: --from A and --to B, or --like TRACK"),
        (["--like", "/0.mp3", "--to", "/5.mp3"], "wanted: --from A and --to B, or --like"),
        (["--from", "/0.mp3", "--to", "/0.mp3"], "begin and end are the same track"),
        (["--from", "/0.mp3", "--to", "/5.mp3", "-n", "1"], "n is 1; 2 to 1000 wanted"),
        (["--from", "/0.mp3", "--to", "/5.mp3", "-n", "1001"], "n is 1001; 2 to 1000 wanted"),
        (["--like", "/0.mp3", "-n", "0"], "n is 0; 1 or more wanted"),
        (["--like", "absent"], "no such track found"),
    ],
)
def test_what_cannot_be_asked(out, capsys, arguments, words):
    code, found, told = asked(capsys, out, *arguments)
    assert (code, found) == (BAD_USAGE, [])
    assert words in told


def test_a_track_without_direction_is_refused_by_name():
    vectors = on_a_circle([0, 10, np.nan])
    with pytest.raises(InvalidArgumentError, match="embedding of the end is all zero"):
        route(vectors, Neighbours(vectors), 0, 2, 3)


# --- the file -----------------------------------------------------------------------------------


def test_paths_are_relative_to_the_list(tmp_path, capsys):
    music = tmp_path / "music"
    for name in ("a/one.mp3", "b/two.mp3"):
        (music / name).parent.mkdir(parents=True)
        (music / name).touch()
    out = write_results(
        tmp_path / "out",
        ["a/one.mp3", "b/two.mp3", "lost.mp3"],
        root=str(music),
        embeddings=on_a_circle([0, 10, 20]),
    )
    target = tmp_path / "lists" / "list.m3u8"
    target.parent.mkdir()
    code, _, told = asked(capsys, out, "--like", "one", "-o", target)
    assert code == ALL_DONE
    assert target.read_text() == (
        "#EXTM3U\n#EXTINF:61,one\n../music/a/one.mp3\n#EXTINF:61,two\n../music/b/two.mp3\n"
        "#EXTINF:61,lost\n../music/lost.mp3\n"
    )
    assert "lost.mp3 is not where it was analysed; wanted: --root" in told
    assert "one.mp3 is not" not in told
    asked(capsys, out, "--like", "one", "-n", "1", "-o", target, "--absolute")
    assert target.read_text().splitlines()[2] == str(music / "a" / "one.mp3")
    code, _, told = asked(capsys, out, "--like", "one", "-o", tmp_path / "no" / "list.m3u8")
    assert code == BAD_USAGE
    assert "list.m3u8" in told


@pytest.mark.parametrize(
    "name",
    [
        "plain.mp3",
        "#no comment.mp3",
        "http:no address.mp3",
        " blank at the begin.mp3",
        "blank at the end ",
        "Björk & Jóga.mp3",
        "100%25.mp3",
    ],
)
@pytest.mark.parametrize("folder", [None, "/music"])
def test_names_that_players_could_take_for_something_else(name, folder):
    text, _ = m3u8([Entry(f"/music/{name}", 3.7, name)], folder)
    head, told, path = text.splitlines()
    assert (head, told) == ("#EXTM3U", f"#EXTINF:4,{' '.join(name.split())}")
    if path.startswith("file:"):
        assert unquote_to_bytes(urlparse(path).path).decode() == f"/music/{name}"
    else:
        assert not path.startswith(("#", "http:"))
        assert path == path.strip()
        assert os.path.normpath(os.path.join("/music", path)) == f"/music/{name}"


@pytest.mark.parametrize("raw", [b"line\nbreak.mp3", b"caf\xe9.mp3", b"\xe2\x80\xa8.mp3", b"a\rb"])
def test_names_that_are_no_line_of_text_become_addresses(raw):
    file = os.fsdecode(b"/music/" + raw)
    text, spelled = m3u8([Entry(file, 3, os.path.basename(file))], "/music")
    assert spelled == [file]
    assert text.encode().decode("utf-8").count("\n") == 3
    _, _, path = text.splitlines()
    assert unquote_to_bytes(urlparse(path).path) == b"/music/" + raw
