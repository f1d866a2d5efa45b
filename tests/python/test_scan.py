"""Which files a command line names, and what their results are called."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from essentia_maest.collection import endings as endings_module
from essentia_maest.collection.endings import audio_endings
from essentia_maest.collection.result_names import LONGEST_NAME
from essentia_maest.collection.scan import Scan, scan
from essentia_maest.errors import InvalidArgumentError


def names(found: Scan) -> list[str]:
    return [track.result for track in found.tracks]


def touch(folder: Path, *relative: str) -> None:
    for name in relative:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_scan_is_recursive_sorted_and_knows_audio(tmp_path):
    touch(tmp_path, "b.MP3", "a/z.flac", "a/c/d.opus", "a/b.ogg", "a/cover.jpg", "._b.mp3", "noise")
    found = scan([tmp_path])
    assert names(found) == ["b.MP3", "a/b.ogg", "a/z.flac", "a/c/d.opus"]
    assert [track.path for track in found.tracks] == [str(tmp_path / name) for name in names(found)]


def test_scan_takes_named_files_whatever_they_are_called(tmp_path):
    touch(tmp_path, "x.dat", "f/y.mp3")
    assert names(scan([tmp_path / "x.dat"])) == ["x.dat"]
    assert names(scan([tmp_path / "x.dat", tmp_path / "f"])) == ["x.dat", "f/y.mp3"]


def test_scan_takes_each_file_once_and_survives_loops(tmp_path):
    touch(tmp_path, "music/a.mp3", "music/b.mp3")
    (tmp_path / "music" / "loop").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "up").symlink_to("..")
    (tmp_path / "music" / "c.mp3").symlink_to("a.mp3")
    found = scan([tmp_path / "music", tmp_path / "music" / "b.mp3", tmp_path / "music"])
    assert [os.path.basename(track.path) for track in found.tracks] == ["a.mp3", "b.mp3"]
    assert found.duplicates == 1 + 1 + 3


def test_scan_keeps_broken_links_for_the_report_and_leaves_pipes(tmp_path):
    (tmp_path / "a.mp3").symlink_to("nowhere.mp3")
    os.mkfifo(tmp_path / "b.mp3")
    assert names(scan([tmp_path])) == ["a.mp3"]


def test_scan_refuses_what_is_not_there(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"nowhere: no such file or folder"):
        scan([tmp_path / "nowhere"])


def test_scan_tells_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    touch(tmp_path, "a.mp3", "secret/b.mp3")
    listed = os.scandir

    def refuse(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr("os.scandir", refuse)  # root may list everything: ask nobody
    found = scan([tmp_path])
    assert names(found) == ["a.mp3"]
    assert found.unreadable == [(str(tmp_path / "secret"), "Permission denied")]


def test_results_never_collide(tmp_path):
    touch(tmp_path, "x/a.mp3", "y/x/a.mp3", "y/x/A.mp3", "x/a.flac", "x/summary", "summary")
    paths = [tmp_path / "x", tmp_path / "y" / "x", tmp_path / "x" / "summary", tmp_path / "summary"]
    found = scan(paths)
    assert len(found.tracks) == 6
    keys = {name.casefold() for name in names(found)}
    assert len(keys) == 6
    assert "summary" not in keys
    assert "x/a.flac" in keys
    assert all(os.path.splitext(name)[1] in (".mp3", ".flac", "") for name in names(found))
    assert names(scan(paths)) == names(found)  # the same at every run


def test_no_folder_stands_where_the_summary_is_written(tmp_path):
    touch(tmp_path, "summary.json/a.mp3", "Summary.JSON/b.mp3", "x/summary.json/c.mp3")
    found = scan([tmp_path])
    firsts = {os.path.dirname(name).casefold() for name in names(found)}
    assert "x/summary.json" in firsts
    assert "summary.json" not in firsts
    assert len(firsts) == 3
    assert sorted(os.path.basename(name) for name in names(found)) == ["a.mp3", "b.mp3", "c.mp3"]


def test_results_of_long_names_fit_into_file_systems(tmp_path):
    stem = "\u00e9" * 124  # 248 bytes
    touch(tmp_path, f"{stem}.mp3", f"{stem}.ogg")
    found = names(scan([tmp_path]))
    assert len(set(found)) == 2
    assert all(len(os.fsencode(name)) <= LONGEST_NAME for name in found)
    assert {os.path.splitext(name)[1] for name in found} == {".mp3", ".ogg"}


@pytest.mark.parametrize("installed", [False, True])
def test_folders_are_searched_for_what_a_decoder_that_is_there_reads(
    tmp_path, monkeypatch, installed
):
    touch(tmp_path, "a.flac", "b.dsf", "c.DSF", "d.mid", "._e.mid", "f.txt")
    monkeypatch.setattr(endings_module, "find_spec", lambda _: installed or None)
    audio_endings.cache_clear()
    try:
        found = scan([tmp_path])
    finally:
        audio_endings.cache_clear()
    left_out = {
        ending: [os.path.basename(file) for file in files]
        for ending, files in found.left_out.items()
    }
    if installed:
        assert names(found) == ["a.flac", "b.dsf", "c.DSF"]
        assert left_out == {".mid": ["d.mid"]}
    else:
        assert names(found) == ["a.flac"]
        assert left_out == {".dsf": ["b.dsf", "c.DSF"], ".mid": ["d.mid"]}
