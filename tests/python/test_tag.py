"""`maest tag`: labels in tags, with a way back; everything else in the files stays."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
from mutagen.id3 import APIC, ID3, TCON, TIT2, TPE1, TYER
from mutagen.oggopus import OggOpus

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import ALL_DONE, BAD_USAGE, SOME_FAILED, STOPPED_EARLY, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.results.audio_hash import audio_hash
from essentia_maest.tagging import tags
from essentia_maest.tagging.changes import fields_of
from results_folders import FAMILIES, LABELS, write_results

NAMES = ["a.mp3", "b.flac", "c.ogg", "d.opus", "e.mp3"]
#: Of each file: jazz and rock, jazz, rock, nothing, rock and jazz.
GENRES = [[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.1, 0.2], [0.4, 0.6]]
SAID = [["jazz", "rock"], ["jazz"], ["rock"], None, ["rock", "jazz"]]


@pytest.fixture
def music(tmp_path) -> Path:
    folder = tmp_path / "music"
    for number, name in enumerate(NAMES):
        kind = {".mp3": "MPEG_LAYER_III", ".opus": "OPUS"}.get(Path(name).suffix)
        write_audio(folder / name, 1.0, 48000, 1, *([kind] if kind else []), seed=number)
        file = mutagen.File(folder / name, easy=True)
        if file.tags is None:
            file.add_tags()
        file["title"] = f"title {number}"
        if number != 1:
            file["genre"] = "old"
        file.save()
    return folder


@pytest.fixture
def out(tmp_path, music) -> Path:
    predictions = np.array([[*genres, 1, 0] for genres in GENRES], np.float32)
    return write_results(tmp_path / "out", NAMES, root=str(music), predictions=predictions)


def asked(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["tag", *map(os.fspath, arguments)])
    return (code, *capsys.readouterr())


def field(path: Path, name: str = "genre") -> list[str] | None:
    return tags.read_tags(path, [name])[name]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_silent_tracks_are_left_alone(tmp_path, music, capsys):
    predictions = np.array([[*genres, 1, 0] for genres in GENRES], np.float32)
    out = write_results(
        tmp_path / "out",
        NAMES,
        root=str(music),
        predictions=predictions,
        silent=["a.mp3", "c.ogg"],
    )
    code, shown, told = asked(capsys, out, "--write", "genre", "--dry-run")
    assert code == ALL_DONE
    assert [line.split(":")[0] for line in shown.splitlines()] == [
        f"{music}/b.flac",
        f"{music}/e.mp3",
    ]
    assert "2 silent tracks are left alone" in told


def test_labels_become_tags_and_go_again(music, out, tmp_path, capsys):
    old = [field(music / name) for name in NAMES]
    hashes = [audio_hash(music / name) for name in NAMES]
    for name in NAMES:
        os.chmod(music / name, 0o640)
        os.utime(music / name, (1e9, 1e9))
    code, shown, told = asked(capsys, out, "--write", "genre", "--backup", tmp_path / "old.jsonl")
    assert code == ALL_DONE
    assert shown.splitlines() == [
        f"{music}/a.mp3: genre: old -> jazz, rock",
        f"{music}/b.flac: genre: (none) -> jazz",
        f"{music}/c.ogg: genre: old -> rock",
        f"{music}/e.mp3: genre: old -> rock, jazz",
    ]
    assert "4 files changed, 0 failed" in told
    said = [one or before for one, before in zip(SAID, old, strict=True)]
    assert [field(music / name) for name in NAMES] == said
    assert [field(music / name, "title") for name in NAMES] == [[f"title {n}"] for n in range(5)]
    assert [audio_hash(music / name) for name in NAMES] == hashes
    for name in NAMES:
        status = os.stat(music / name)
        assert (stat.S_IMODE(status.st_mode), status.st_mtime) == (0o640, 1e9)
        maest.load_audio(music / name)
    assert {path.name for path in music.iterdir()} == set(NAMES)
    lines = [json.loads(line) for line in (tmp_path / "old.jsonl").read_text().splitlines()]
    assert [(line["file"], line["old"], line["new"]) for line in lines][:2] == [
        (f"{music}/a.mp3", {"genre": ["old"]}, {"genre": ["jazz", "rock"]}),
        (f"{music}/b.flac", {"genre": None}, {"genre": ["jazz"]}),
    ]
    again = ["--write", "genre", "--backup", tmp_path / "none.jsonl"]
    assert asked(capsys, out, *again)[:2] == (ALL_DONE, "")  # they say it already
    assert asked(capsys, "--undo", tmp_path / "none.jsonl")[:2] == (ALL_DONE, "")
    assert asked(capsys, "--undo", tmp_path / "old.jsonl", "--dry-run")[0] == ALL_DONE
    assert [field(music / name) for name in NAMES] == said
    code, shown, told = asked(capsys, "--undo", tmp_path / "old.jsonl")
    assert (code, len(shown.splitlines())) == (ALL_DONE, 4)
    assert [field(music / name) for name in NAMES] == old
    assert [audio_hash(music / name) for name in NAMES] == hashes
    assert asked(capsys, "--undo", tmp_path / "old.jsonl")[1] == ""  # undone already


def test_a_dry_run_writes_nothing(music, out, capsys):
    before, tables = bytes_of(music), sorted(out.rglob("*"))
    code, shown, told = asked(capsys, out, "--write", "genre", "--dry-run")
    assert (code, len(shown.splitlines())) == (ALL_DONE, 4)
    assert "4 files would be changed" in told
    assert bytes_of(music) == before
    assert sorted(out.rglob("*")) == tables


def test_how_much_is_written(music, out, capsys):
    shown = asked(capsys, out, "--write", "genre", "--most", "1", "--dry-run")[1]
    assert "a.mp3: genre: old -> jazz\n" in shown
    shown = asked(capsys, out, "--write", "genre", "--least", "0.7", "--dry-run")[1]
    assert [line.split("/")[-1] for line in shown.splitlines()] == [
        "b.flac: genre: (none) -> jazz",
        "c.ogg: genre: old -> rock",
    ]
    shown = asked(capsys, out, "--write", "genre", "--only-empty", "--dry-run")[1]
    assert [line.split("/")[-1] for line in shown.splitlines()] == ["b.flac: genre: (none) -> jazz"]


def test_what_somebody_changed_since_stays(music, out, tmp_path, capsys):
    asked(capsys, out, "--write", "genre", "--backup", tmp_path / "old.jsonl")
    file = mutagen.File(music / "c.ogg", easy=True)
    file["genre"] = "mine"
    file.save()
    code, _, told = asked(capsys, "--undo", tmp_path / "old.jsonl")
    assert code == SOME_FAILED
    assert "c.ogg: genre changed since; left alone as it is now" in told
    assert field(music / "c.ogg") == ["mine"]
    assert field(music / "a.mp3") == ["old"]


def test_files_that_cannot_be_written_are_named(music, out, capsys):
    os.chmod(music / "a.mp3", 0o444)
    (music / "c.ogg").unlink()
    (music / "e.mp3").write_bytes(b"")
    code, _, told = asked(capsys, out, "--write", "genre")
    assert code == SOME_FAILED
    assert "a.mp3: is read-only" in told
    assert "c.ogg: is not there; if the folder was moved: --root" in told
    assert "e.mp3: " in told
    assert field(music / "a.mp3") == ["old"]
    assert field(music / "b.flac") == ["jazz"]


def test_a_library_that_was_moved(music, out, tmp_path, capsys):
    music.rename(tmp_path / "moved")
    assert asked(capsys, out, "--write", "genre", "--root", tmp_path / "moved")[0] == ALL_DONE
    assert field(tmp_path / "moved" / "b.flac") == ["jazz"]


def test_containers_that_are_not_supported_are_named(tmp_path, capsys):
    write_audio(tmp_path / "music" / "a.wav", 0.5, 16000, 1)
    predictions = np.array([[0.9, 0, 0, 0]], np.float32)
    out = write_results(
        tmp_path / "out", ["a.wav"], root=str(tmp_path / "music"), predictions=predictions
    )
    code, _, told = asked(capsys, out, "--write", "genre")
    assert code == SOME_FAILED
    assert "a.wav: WAVE has no tags that are supported; supported are ID3v2" in told


def test_what_else_is_in_id3_stays(tmp_path):
    path = write_audio(tmp_path / "a.mp3", 1.0, 44100, 1, "MPEG_LAYER_III")
    id3 = ID3()
    for frame in (
        TIT2(encoding=1, text=["title"]),
        TPE1(encoding=1, text=["one", "two"]),
        TYER(encoding=1, text=["1999"]),
        TCON(encoding=1, text=["Rock"]),
        APIC(encoding=1, mime="image/png", type=3, desc="cover", data=b"png" * 1000),
    ):
        id3.add(frame)
    id3.save(path, v2_version=3, v23_sep=None)
    before, own = ID3(path), audio_hash(path)
    tags.require_mutagen()
    tags.write_tags(path, {"genre": ["jazz", "swing"], "mood": None, "instrument": ["flute"]})
    assert ID3(path).version == (2, 3, 0)
    tags.write_tags(path, {"mood": ["calm"]})
    after = ID3(path)
    assert after.version == (2, 4, 0)  # 2.3 has no frame for it
    for key in ("TIT2", "TPE1", "APIC:cover"):
        assert after[key] == before[key]
    assert str(after["TDRC"]) == "1999"
    assert tags.read_tags(path, ["genre", "mood"]) == {"genre": ["jazz", "swing"], "mood": ["calm"]}
    assert audio_hash(path) == own


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg makes the MP4 file")
def test_mp4(tmp_path):
    source = write_audio(tmp_path / "a.wav", 1.0, 44100, 1)
    path = tmp_path / "a.m4a"
    command = ["ffmpeg", "-loglevel", "error", "-i", source, "-c:a", "aac", path]
    subprocess.run(command, check=True, timeout=60)
    own = audio_hash(path)
    tags.require_mutagen()
    wanted = {"genre": ["jazz", "rock"], "mood": ["calm"], "instrument": ["flute"]}
    tags.write_tags(path, wanted)
    assert tags.read_tags(path, list(wanted)) == wanted
    assert audio_hash(path) == own
    tags.write_tags(path, dict.fromkeys(wanted))
    assert tags.read_tags(path, list(wanted)) == dict.fromkeys(wanted)
    maest.load_audio(path)


def test_links_stay_links(music, out, tmp_path, capsys):
    (music / "b.flac").rename(tmp_path / "elsewhere.flac")
    (music / "b.flac").symlink_to(tmp_path / "elsewhere.flac")
    assert asked(capsys, out, "--write", "genre")[0] == ALL_DONE
    assert (music / "b.flac").is_symlink()
    assert field(tmp_path / "elsewhere.flac") == ["jazz"]


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["copyfile", "save"])
def test_a_full_disk_loses_nothing(music, out, capsys, monkeypatch, where):
    before = bytes_of(music)
    if where == "copyfile":
        monkeypatch.setattr(tags.shutil, "copyfile", full_disk)
    else:
        monkeypatch.setattr(mutagen.easyid3.ID3, "save", full_disk)
    code, _, told = asked(capsys, out, "--write", "genre")
    assert code == STOPPED_EARLY
    assert "0 files changed before this" in told
    assert bytes_of(music) == before
    assert len(list(out.glob("tags-*.jsonl"))) == 1


def test_a_file_whose_audio_would_change_is_left_alone(music, monkeypatch):
    save = OggOpus.save

    def damaging(self, *arguments, **more):
        save(self, *arguments, **more)
        with open(self.filename, "r+b") as file:
            file.seek(-10, os.SEEK_END)
            file.write(b"0123456789")

    monkeypatch.setattr(OggOpus, "save", damaging)
    before = (music / "d.opus").read_bytes()
    with pytest.raises(tags.TagError, match="its audio would not be the same"):
        tags.write_tags(music / "d.opus", {"genre": ["jazz"]})
    assert (music / "d.opus").read_bytes() == before


def test_a_backup_is_not_written_over(music, out, tmp_path, capsys):
    before = bytes_of(music)
    (tmp_path / "old.jsonl").write_text("")
    code, _, told = asked(capsys, out, "--write", "genre", "--backup", tmp_path / "old.jsonl")
    assert code == BAD_USAGE
    assert "is there already" in told
    code, _, told = asked(
        capsys, out, "--write", "genre", "--backup", tmp_path / "no" / "old.jsonl"
    )
    assert code == BAD_USAGE
    assert bytes_of(music) == before


@pytest.mark.parametrize(
    "line", ["no JSON", "[]", '{"file": "a"}', '{"file": "a", "old": {"title": ["x"]}, "new": {}}']
)
def test_what_is_no_backup(tmp_path, capsys, line):
    (tmp_path / "old.jsonl").write_text(line + "\n")
    code, _, told = asked(capsys, "--undo", tmp_path / "old.jsonl")
    assert code == BAD_USAGE
    assert "line 1 is none of a backup of `maest tag`" in told
    assert asked(capsys, "--undo", tmp_path / "absent.jsonl")[0] == BAD_USAGE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "wanted: OUT and --write with the fields to write, or --undo BACKUP"),
        (["--write", "genre", "--undo", "x"], "or --undo BACKUP"),
        (["--write", "title"], "field 'title' cannot be written; wanted: genre, mood, instrument"),
        (["--write", ""], "field '' cannot be written"),
        (["--write", "genre,genre=Metre"], "field 'genre' was asked for twice"),
        (["--write", "mood"], "none of the fields can be written"),
        (["--write", "mood=Mood"], "no family 'Mood' found; the labels have: Genre, Metre"),
        (["--write", "genre", "--most", "0"], "most is 0; 1 or more wanted"),
        (["--write", "genre", "--least", "0"], "least is 0; above 0, and 1 or less, wanted"),
        (["--write", "genre", "--least", "nan"], "least is nan"),
    ],
)
def test_what_cannot_be_asked(out, capsys, arguments, words):
    code, shown, told = asked(capsys, out, *arguments)
    assert (code, shown) == (BAD_USAGE, "")
    assert words in told


def test_results_without_predictions(tmp_path, capsys):
    out = write_results(tmp_path, ["a.mp3"], embeddings=np.ones((1, 2), np.float32))
    assert "no predictions found" in asked(capsys, out, "--write", "genre")[2]


def test_fields_and_families():
    fields, missing = fields_of("genre,mood", LABELS, FAMILIES)
    assert [(one.name, one.values) for one in fields] == [("genre", ("jazz", "rock"))]
    assert missing == [
        "mood: no labels for it (families: Genre, Metre); mood=FAMILY says which to take"
    ]
    (mood,) = fields_of("mood=Metre", LABELS, FAMILIES)[0]
    assert mood.values == ("quadruple", "triple")
    discogs = ("Rock---Indie", "Jazz---Bop")
    assert fields_of("genre", discogs, ())[0][0].values == ("Indie", "Bop")
    assert fields_of("mood", discogs, ())[0] == []
    assert fields_of("genre", ("calm", "happy"), ())[0] == []
    assert fields_of("mood=*", ("calm", "happy"), ())[0][0].values == ("calm", "happy")
    with pytest.raises(InvalidArgumentError, match="no family 'Rock' found; the labels have: none"):
        fields_of("genre=Rock", discogs, ())


def test_without_mutagen_it_is_said_what_to_install(music, out, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutagen.easyid3", None)
    code, _, told = asked(capsys, out, "--write", "genre")
    assert code == BAD_USAGE
    assert "pip install 'essentia-maest[tag]'" in told
