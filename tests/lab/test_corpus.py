"""Fetching packages, and finding the music in them."""

from __future__ import annotations

import csv
import itertools
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from corpus_fixtures import Shelf, write_tone
from essentia_maest import load_audio
from lab.corpus import smoke
from lab.corpus.excerpts import excerpt_starts, write_excerpts, write_sounding_excerpts
from lab.corpus.packages import debian_package, debian_version, members, python_package
from lab.corpus.produced_music import PRODUCED_MUSIC, MusicPackage, tracks_of
from training.data.table import make_table
from training.data.tracks import read_tracks
from training.errors import DataError


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    return Shelf(tmp_path / "shelf", monkeypatch)


def test_a_debian_package_is_unpacked_once(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "tree" / "usr").mkdir(parents=True)
    (tmp_path / "tree" / "usr" / "hello").write_text("hello")
    shelf.add("tiny-music", tmp_path / "tree")
    root = debian_package("tiny-music", tmp_path / "cache")
    assert (root / "usr" / "hello").read_text() == "hello"
    assert debian_version(root) == "1.2-3"
    assert debian_package("tiny-music", tmp_path / "cache") == root
    assert shelf.fetched == ["tiny-music"]
    assert not list(root.parent.glob("*.downloads"))


def test_what_a_killed_run_left_is_not_taken_for_a_package(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "new").write_text("whole")
    shelf.add("tiny-music", tmp_path / "tree")
    left = tmp_path / "cache" / "debian"
    for name in ("tiny-music.partial", "tiny-music.downloads"):
        (left / name).mkdir(parents=True)
        (left / name / "tiny-music_0.9_all.deb").write_bytes(b"half")
    root = debian_package("tiny-music", tmp_path / "cache")
    assert sorted(path.name for path in root.iterdir()) == ["DEBIAN", "new"]


def test_an_unknown_package_is_named_with_the_tools_words(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="package no-such-music .*E: Unable to locate.*apt-get update"
    ):
        debian_package("no-such-music", tmp_path)
    assert not (tmp_path / "debian" / "no-such-music").exists()


def test_a_damaged_package_is_named(shelf: Shelf, tmp_path: Path) -> None:
    (shelf.folder / "tiny-music_1_all.deb").write_bytes(b"not an archive")
    with pytest.raises(DataError, match="tiny-music cannot be had: dpkg-deb says"):
        debian_package("tiny-music", tmp_path / "cache")


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="tiny-music cannot be had: apt-get is not on this machine"):
        debian_package("tiny-music", tmp_path)


@pytest.mark.parametrize("name", ["", "../etc", "-o=Dir::x", "a b", "/etc/passwd"])
def test_what_is_no_name_of_a_package_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not the name of a package"):
        debian_package(name, tmp_path)


def test_a_wheel_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "tinymusic-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tinymusic/weights", "12")
        file.writestr("tinymusic-1.0.dist-info/METADATA", "Name: tinymusic\nVersion: 1.0\n")
        file.writestr("tinymusic-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    root = python_package("tinymusic==1.0", tmp_path / "cache")
    assert (root / "tinymusic" / "weights").read_text() == "12"
    wheel.unlink()
    assert python_package("tinymusic==1.0", tmp_path / "cache") == root
    with pytest.raises(
        DataError, match=r"package tinymusic==2.0 cannot be had: pip says.*No matching"
    ):
        python_package("tinymusic==2.0", tmp_path / "cache")


def test_members_of_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "music.pk3"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("music/a.ogg", "music/B.OGG", "textures/c.jpg"):
            file.writestr(name, name)
    left = tmp_path / "out.partial" / "music"
    left.mkdir(parents=True)
    (left / "half.ogg").write_text("half")
    found = members(archive, (".ogg",), tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "out/music/B.OGG",
        "out/music/a.ogg",
    ]
    archive.unlink()
    assert members(archive, (".ogg",), tmp_path / "out") == found


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "music.pk3").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"music\.pk3 cannot be read as a zip archive"):
        members(tmp_path / "music.pk3", (".ogg",), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tracks_of_an_archive_with_their_artists(shelf: Shelf, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    write_tone(tmp_path / "one.ogg", 21, artist="Tagged")
    write_tone(tmp_path / "short.ogg", 19)
    (tree / "data").mkdir(parents=True)
    with zipfile.ZipFile(tree / "data" / "music.pk3", "w") as file:
        file.write(tmp_path / "one.ogg", "music/one.ogg")
        file.write(tmp_path / "one.ogg", "music/two.ogg")
        file.write(tmp_path / "short.ogg", "music/short.ogg")
        file.write(tmp_path / "one.ogg", "effects/long.ogg")
    shelf.add("tiny-music", tree)
    package = MusicPackage(
        "tiny-music",
        "Tiny",
        ("music/*.ogg",),
        "GPL-2",
        archive="data/music.pk3",
        artists=(("music/two*", "By Pattern"),),
        artist_tags=True,
    )
    tracks = tracks_of(package, tmp_path / "cache")
    assert [(track.identity, track.artist) for track in tracks] == [
        ("tiny-music/music/one.ogg", "Tagged"),
        ("tiny-music/music/two.ogg", "By Pattern"),
    ]
    assert tracks[0].seconds == pytest.approx(21, abs=0.1)


def test_stems_are_one_piece_and_links_none(shelf: Shelf, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for song in ("first", "second"):
        for stem in ("guitar", "song"):
            write_tone(tree / "songs" / song / f"{stem}.ogg", 20.5)
    (tree / "songs" / "third").symlink_to("first")
    (tree / "songs" / "second" / "again.ogg").symlink_to("song.ogg")
    shelf.add("tiny-music", tree)
    package = MusicPackage("tiny-music", "Tiny", ("songs/*/*.ogg",), "GPL-2", stems=True)
    tracks = tracks_of(package, tmp_path / "cache")
    pieces = [track.piece for track in tracks]
    assert pieces == ["tiny-music/songs/first"] * 2 + ["tiny-music/songs/second"] * 2
    assert {track.artist for track in tracks} == {"Tiny"}
    assert [track.identity for track in smoke.whole_songs(tracks)] == [
        "tiny-music/songs/first/song.ogg",
        "tiny-music/songs/second/song.ogg",
    ]


def test_a_package_without_music_is_named(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    shelf.add("tiny-music", tmp_path / "tree")
    package = MusicPackage("tiny-music", "Tiny", ("songs/*.ogg",), "GPL-2")
    with pytest.raises(
        DataError, match=r"tiny-music has no track of 20 s or more at songs/\*\.ogg"
    ):
        tracks_of(package, tmp_path / "cache")


def test_a_damaged_track_is_named(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "tree" / "songs").mkdir(parents=True)
    (tmp_path / "tree" / "songs" / "bad.ogg").write_bytes(b"OggS and nothing")
    shelf.add("tiny-music", tmp_path / "tree")
    package = MusicPackage("tiny-music", "Tiny", ("songs/*.ogg",), "GPL-2")
    with pytest.raises(DataError, match=r"tiny-music: .*bad\.ogg cannot be read"):
        tracks_of(package, tmp_path / "cache")


def test_the_table_of_packages_is_sound() -> None:
    names = [package.name for package in PRODUCED_MUSIC]
    assert len(set(names)) == len(names)
    smoke_names = [name for names in smoke.SOUNDTRACKS.values() for name in names]
    assert len(set(smoke_names)) == len(smoke_names)
    assert set(smoke_names) <= set(names)


@given(st.integers(0, 10_000), st.integers(1, 500), st.integers(1, 9))
def test_excerpts_do_not_overlap(samples: int, length: int, most: int) -> None:
    starts = excerpt_starts(samples, length, most)
    assert len(starts) == max(1, min(most, samples // length))
    assert starts[0] >= 0
    if samples >= length:
        assert starts[-1] + length <= samples
        assert all(later - start >= length for start, later in itertools.pairwise(starts))
        # evenly: the same gap before, between and after, within rounding
        gaps = np.diff([-length, *starts, samples]) - length
        assert np.ptp(gaps) <= 2


def test_an_excerpt_is_that_part_of_the_track(tmp_path: Path) -> None:
    time = np.arange(16000 * 7) / 16000
    audio = 0.4 * np.sin(2 * np.pi * (200 + 30 * time) * time)
    soundfile.write(tmp_path / "piece.wav", audio, 16000, subtype="PCM_16")
    paths = [tmp_path / "out" / f"{number}.flac" for number in range(5)]
    written = write_excerpts(tmp_path / "piece.wav", paths, seconds=2.0)
    assert written == paths[:3]
    assert sorted((tmp_path / "out").iterdir()) == written
    whole = load_audio(tmp_path / "piece.wav")
    for start, path in zip((4000, 40000, 76000), written, strict=True):
        np.testing.assert_allclose(load_audio(path), whole[start : start + 32000], atol=1e-4)


def test_silent_excerpts_are_left_out(tmp_path: Path) -> None:
    """So that `spectrograms` refuses none of the smoke run's, and ends with 0."""
    audio = np.zeros(16000 * 90)
    audio[: 16000 * 30] = audio[-16000 * 30 :] = 0.3
    soundfile.write(tmp_path / "piece.wav", audio, 16000, subtype="PCM_16")
    paths = [tmp_path / "out" / f"{number}.flac" for number in range(3)]
    assert write_sounding_excerpts(tmp_path / "piece.wav", paths) == [paths[0], paths[2]]
    assert sorted((tmp_path / "out").iterdir()) == [paths[0], paths[2]]


def test_an_undecodable_track_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "bad.ogg").write_bytes(b"OggS and nothing")
    with pytest.raises(DataError, match=r"bad\.ogg cannot be decoded"):
        write_excerpts(tmp_path / "bad.ogg", [tmp_path / "out.flac"])


def test_the_smoke_corpus_makes_a_tracks_table(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundtracks = {name: smoke.SOUNDTRACKS[name] for name in ("Colobot", "Frets on Fire")}
    monkeypatch.setattr(smoke, "SOUNDTRACKS", soundtracks)
    monkeypatch.setattr(smoke, "EXCERPTS", 2)
    packages = {package.name: package for package in PRODUCED_MUSIC}
    for name in [name for names in soundtracks.values() for name in names]:
        shelf.add_music(packages[name], tmp_path / "trees" / name, count=3, seconds=61)
    smoke.make_smoke_corpus(tmp_path / "music", cache=tmp_path / "cache")
    with (tmp_path / "music" / "collection.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    splits = defaultdict(set)
    heard = defaultdict(set)
    for row in rows:
        assert soundfile.info(tmp_path / "music" / row["path"]).duration == 30
        splits[row["group"]].add(row["split"])
        heard[row["tags"]].add(row["split"])
    # 3 packages of three one-minute pieces
    assert len(rows) == 3 * 3 * 2
    assert len(splits) == 3 * 3
    assert all(len(found) == 1 for found in splits.values())
    assert len(heard) == 2
    assert all(found == {"train", "validation", "test"} for found in heard.values())

    make_table(tmp_path / "music" / "collection.csv", tmp_path / "tracks.parquet")
    tracks = read_tracks(tmp_path / "tracks.parquet")
    assert tracks.table.num_rows == len(rows)
    assert set(tracks.classes) == {f"Soundtrack---{name}" for name in soundtracks}

    first = (tmp_path / "music" / "collection.csv").read_bytes()
    smoke.make_smoke_corpus(tmp_path / "again", cache=tmp_path / "cache")
    assert (tmp_path / "again" / "collection.csv").read_bytes() == first
    assert len(shelf.fetched) == 3
