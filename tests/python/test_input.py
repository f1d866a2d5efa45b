"""What `maest analyze` is given: patterns, lists, hidden folders; what it would do with it."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import pytest

from audio_fixtures import write_audio
from essentia_maest.collection.lists import read_list
from essentia_maest.collection.patterns import Pattern
from essentia_maest.collection.scan import Scan, scan
from essentia_maest.commands.cli import main
from essentia_maest.errors import InvalidArgumentError
from untrained import UNTRAINED


def touch(folder: Path, *relative: str) -> None:
    for name in relative:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(result: Scan, folder: Path) -> list[str]:
    return [os.path.relpath(track.path, folder) for track in result.tracks]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.flac", ["a.flac", "x/b.flac", "x/y/c.flac"]),
        ("*.flac", ["a.flac"]),
        ("*/*.flac", ["x/b.flac"]),
        ("x/**", ["x/b.flac", "x/d.mp3", "x/y/c.flac"]),
        ("x*", ["x/b.flac", "x/d.mp3", "x/y/c.flac"]),  # a folder that matches is searched
        ("**/y/*", ["x/y/c.flac"]),
        ("x/?.mp3", ["x/d.mp3"]),
        ("x/[b-d].*", ["x/b.flac", "x/d.mp3"]),  # cover.jpg and b.txt do not sound like audio
        ("x/[!b].*", ["x/d.mp3"]),
        ("*.txt", ["b.txt"]),  # named by its ending
    ],
)
def test_patterns(tmp_path, pattern, expected):
    touch(tmp_path, "a.flac", "b.txt", "x/b.flac", "x/b.txt", "x/d.mp3", "x/y/c.flac", "x/c.jpg")
    assert found(scan([tmp_path / pattern]), tmp_path) == expected


def test_the_root_of_a_pattern_is_what_comes_before_its_magic(tmp_path):
    touch(tmp_path, "m/a/b.flac")
    (track,) = scan([tmp_path / "m" / "*" / "*.flac"]).tracks
    assert (track.root, track.relative) == (str(tmp_path / "m"), "a/b.flac")


@pytest.mark.parametrize("name", ["a[1].flac", "what?.flac", "**.flac"])
def test_a_file_that_is_there_is_no_pattern(tmp_path, name):
    touch(tmp_path, name, "a1.flac", "whatx.flac")
    assert found(scan([tmp_path / name]), tmp_path) == [name]


def test_patterns_that_match_nothing_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"\*\.flac: no such file .* matches none"):
        scan([tmp_path / "*.flac"])


@pytest.mark.parametrize(
    ("pattern", "name", "takes"),
    [
        ("/m/[]x].mp3", "].mp3", True),
        ("/m/[^a].mp3", "a.mp3", False),
        ("/m/a[.mp3*", "a[.mp3", None),  # no end of a set: a letter
        ("/m/**/**/a.mp3", "x/y/a.mp3", True),
        ("/m/**/a.mp3", "a.mp3", True),
    ],
)
def test_sets_and_stars(pattern, name, takes):
    assert Pattern(pattern).takes(name) is takes


def test_hidden_folders_are_skipped_and_counted_unless_asked_for(tmp_path):
    hidden = [".h/a.mp3", "@eaDir/b.mp3", "#recycle/c.mp3", ".Trash-1000/d.mp3", "__MACOSX/e.mp3"]
    touch(tmp_path, "x.mp3", "._x.mp3", *hidden)
    result = scan([tmp_path])
    assert found(result, tmp_path) == ["x.mp3"]
    assert len(result.skipped) == 6
    everything = scan([tmp_path], hidden=True)
    assert sorted(found(everything, tmp_path)) == sorted(["x.mp3", "._x.mp3", *hidden])
    assert everything.skipped == []
    assert found(scan([tmp_path / ".h"]), tmp_path) == [".h/a.mp3"]  # it was asked for


def listed(content: bytes, path: Path) -> list[str]:
    path.write_bytes(content)
    return [entry.path for entry in read_list(str(path))]


def test_plain_lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = tmp_path / "lists"
    lists.mkdir()
    a, b = str(tmp_path / "a.mp3"), str(tmp_path / "#b c.mp3")
    assert listed(b"a.mp3\r\n#b c.mp3\r\n\r\n", lists / "crlf") == [a, b]
    assert listed(b"\xef\xbb\xbfa.mp3\n#b c.mp3", lists / "bom") == [a, b]
    assert listed(f"{a}\n{b}\n".encode("utf-16"), lists / "utf16") == [a, b]
    assert listed(b"a.mp3\0two\nlines.mp3\0", lists / "nul") == [
        a,
        str(tmp_path / "two\nlines.mp3"),
    ]


def test_playlists(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    folder = tmp_path / "lists"
    touch(folder, "a.mp3", "sub/b c.mp3", "caf\u00e9.mp3")
    raw = os.path.join(os.fsencode(folder), b"raw\xe9.mp3")
    Path(os.fsdecode(raw)).touch()
    uri = (folder / "a.mp3").as_uri().encode()
    text = (
        b"#EXTM3U\r\n#EXTINF:12,Somebody - A\r\na.mp3\r\nsub\\b c.mp3\r\nsub/b%20c.mp3\r\n"
        b"caf\xe9.mp3\r\nraw\xe9.mp3\r\n" + uri + b"\r\nhttp://radio/stream\r\n"
    )
    names = ["a.mp3", "sub/b c.mp3", "sub/b c.mp3", "caf\u00e9.mp3", os.fsdecode(b"raw\xe9.mp3")]
    paths = [str(folder / name) for name in (*names, "a.mp3")]
    assert listed(text, folder / "list.m3u") == [*paths, "http://radio/stream"]


def test_lists_tell_roots_and_what_is_missing_is_a_track(tmp_path, monkeypatch):
    touch(tmp_path, "in/a.mp3", "in/b.mp3", "out.mp3", "in/list.m3u8")
    (tmp_path / "in" / "list.m3u8").write_text("a.mp3\n../out.mp3\nmissing.mp3\na.mp3\n")
    result = scan([], listed=read_list(str(tmp_path / "in" / "list.m3u8")))
    assert [(track.root, track.relative) for track in result.tracks] == [
        (str(tmp_path / "in"), "a.mp3"),
        (str(tmp_path), "out.mp3"),
        (str(tmp_path / "in"), "missing.mp3"),
    ]
    assert result.duplicates == 1
    assert all(not track.result.startswith("..") for track in result.tracks)


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="none: the list cannot be read: No such file"):
        read_list(str(tmp_path / "none"))


def test_a_list_on_stdin_is_analysed_and_what_is_missing_fails(tmp_path, monkeypatch, capfd):
    write_audio(tmp_path / "a.wav", 1.0, 16000, 1)
    monkeypatch.chdir(tmp_path)
    names = io.TextIOWrapper(io.BytesIO(b"a.wav\0gone.wav\0"))
    monkeypatch.setattr(sys, "stdin", names)
    command = ["analyze", "--from-file", "-", "-o", "out", "--model", str(UNTRAINED)]
    assert main([*command, "--workers", "1"]) == 1
    told = capfd.readouterr()
    assert "failed: " in told.err
    assert "gone.wav: no such file" in told.err
    assert told.out.startswith("a.wav\t1.0\t")


def tree(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_a_dry_run_tells_all_and_writes_nothing(tmp_path, monkeypatch, capsys):
    music = tmp_path / "music"
    for name in ("a", "b"):
        write_audio(music / f"{name}.ogg", 2.0, 22050, 1)
    touch(music, ".h/x.mp3", "z.mid")
    monkeypatch.chdir(tmp_path)
    command = ["analyze", "music", "-o", "out", "--model", str(UNTRAINED), "--workers", "1"]
    before = tree(tmp_path)
    assert main([*command, "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "analyse\tmusic/a.ogg\nanalyse\tmusic/b.ogg\n" in told
    assert "left out\tmusic/z.mid\nskipped\tmusic/.h\n" in told
    assert "2 files would be analysed (0.00111 hours of audio, by what 2 files say)" in told
    assert "1 left out, 1 hidden skipped; nothing was written" in told
    assert tree(tmp_path) == before

    assert main([*command, "--quiet"]) == 0
    write_audio(music / "c.wav", 2.0, 16000, 1)
    before = tree(tmp_path)
    assert main([*command, "--dry-run"]) == 2  # as without it: there are results
    assert main([*command, "--dry-run", "--resume"]) == 0
    told = capsys.readouterr().out
    assert "analyse\tmusic/c.wav\ndone\tmusic/a.ogg\ndone\tmusic/b.ogg\n" in told
    assert tree(tmp_path) == before
    shutil.rmtree(tmp_path / "out")


def test_a_dry_run_tells_what_is_missing_and_what_cannot_be_opened(tmp_path, monkeypatch, capsys):
    write_audio(tmp_path / "a.wav", 3.6, 16000, 1)
    touch(tmp_path, "empty.wav")
    (tmp_path / "list").write_text("a.wav\ngone.wav\nempty.wav\n")
    monkeypatch.chdir(tmp_path)
    command = ["analyze", "--from-file", "list", "-o", "out", "--model", str(UNTRAINED)]
    assert main([*command, "--workers", "1", "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        "analyse\ta.wav\nanalyse\tempty.wav\nmissing\tgone.wav\n"
        "2 files would be analysed (0.001 hours of audio, by what 1 files say; "
        "1 cannot be opened), 1 missing; nothing was written\n"
    )
