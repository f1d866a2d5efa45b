"""Two runs into one folder behind a URL: the second is refused, unless the first one is gone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import fsspec
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.commands.cli import BAD_USAGE, main
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.heads.applying import apply_heads
from essentia_maest.results import remote_writer
from essentia_maest.results.one_writer import writer_of
from essentia_maest.results.places import place_of
from essentia_maest.results.remote_writer import LOCK, Owner, RemoteWriter
from head_fixtures import embeddings_of, write_linear_head, write_results
from untrained import UNTRAINED

COMMAND = ["--model", str(UNTRAINED), "--workers", "1", "--block", "1"]


@pytest.fixture(params=["memory", "local"])
def place(request, tmp_path) -> Iterator[Path]:
    """A folder behind a URL: an object store in memory, or this disk through fsspec."""
    folder = "memory://writer/out" if request.param == "memory" else f"local://{tmp_path}/out"
    place = place_of(folder)
    place.mkdir(parents=True, exist_ok=True)
    yield place
    fsspec.filesystem("memory").store.clear()


def held_by(place: Path) -> dict[str, Any]:
    end = time.monotonic() + 30
    while True:
        try:
            return dict(json.loads((place / LOCK).read_bytes()))
        except ValueError:  # it is being written
            assert time.monotonic() < end


def someone_else(place: Path, **facts: Any) -> None:
    """A run on another machine holds the folder."""
    owner = replace(Owner.here(), host="another", machine="another start", process=7)
    (place / LOCK).write_bytes(json.dumps(asdict(replace(owner, **facts))).encode())


def test_the_second_is_refused_until_the_first_ends(place):
    first, second = writer_of(place), writer_of(place)
    assert isinstance(first, RemoteWriter)
    first.begin()
    first.begin()
    told = held_by(place)
    assert told["process"] == os.getpid()
    with pytest.raises(InvalidArgumentError, match=f"another run .*process {os.getpid()} on .*"):
        second.begin()
    assert held_by(place) == told
    second.end()
    assert (place / LOCK).exists()
    first.require()
    first.end()
    first.end()
    assert not (place / LOCK).exists()
    second.begin()
    second.end()


def test_a_run_elsewhere_keeps_the_folder_while_it_is_heard_of(place, caplog):
    someone_else(place)
    with pytest.raises(InvalidArgumentError, match=r"process 7 on another, .* or remove .*writer"):
        RemoteWriter(place).begin()
    someone_else(place, seen=time.time() - remote_writer.STALE_SECONDS - 1)
    writer = RemoteWriter(place)
    writer.begin()
    assert held_by(place)["process"] == os.getpid()
    assert "taken over; it was held by process 7 on another" in caplog.text
    writer.end()


def test_a_process_of_this_machine_that_is_gone_keeps_nobody_out(place):
    gone = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(gone, 0)
    someone_else(place, machine=Owner.here().machine, process=gone)
    RemoteWriter(place).begin()
    someone_else(place, machine=Owner.here().machine, process=os.getppid())
    with pytest.raises(InvalidArgumentError):
        RemoteWriter(place).begin()


def test_of_two_at_the_same_moment_one_has_it(place, monkeypatch):
    """Both saw that nobody held the folder."""
    first, second = RemoteWriter(place), RemoteWriter(place)
    first.begin()
    found, looks = second._found, [None]
    monkeypatch.setattr(second, "_found", lambda: looks.pop() if looks else found())
    with pytest.raises(InvalidArgumentError, match=str(os.getpid())):
        second.begin()
    first.require()


def test_where_nothing_is_written_exclusively_the_last_one_has_it(place, monkeypatch):
    monkeypatch.setattr(remote_writer, "_SETTLE_SECONDS", 0.0)
    writer = RemoteWriter(place)

    def refuse(path: str, content: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            raise NotImplementedError
        fsspec.AbstractFileSystem.pipe_file(place.fs, path, content)
        if others:
            someone_else(place)

    others = False
    monkeypatch.setattr(place.fs, "pipe_file", refuse)
    writer.begin()
    writer.end()
    others = True
    with pytest.raises(InvalidArgumentError, match="process 7 on another"):
        writer.begin()


def test_a_run_says_that_it_is_there_and_learns_that_it_was_replaced(place, monkeypatch):
    monkeypatch.setattr(remote_writer, "BEAT_SECONDS", 0.01)
    writer = RemoteWriter(place)
    writer.begin()
    before = held_by(place)
    end = time.monotonic() + 30
    while held_by(place)["seen"] == before["seen"]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert held_by(place)["begun"] == before["begun"]
    while writer._lost is None:
        someone_else(place)  # which the writer may not see before it writes itself
        assert time.monotonic() < end
        time.sleep(0.01)
    with pytest.raises(OSError, match="another run took the folder over .process 7 on another"):
        writer.require()
    writer.end()
    assert held_by(place)["process"] == 7


def test_what_is_no_account_of_a_writer_is_left_alone(place):
    (place / LOCK).write_bytes(b"{}")
    with pytest.raises(InvalidArgumentError, match="another run is writing there; wanted"):
        RemoteWriter(place).begin()
    assert (place / LOCK).read_bytes() == b"{}"


def test_the_command_says_so_and_leaves_nothing(place, tmp_path, capsys):
    write_audio(tmp_path / "a.flac", 6.0, 16000, 1)
    someone_else(place)
    command = ["analyze", str(tmp_path / "a.flac"), "-o", str(place), *COMMAND]
    assert main(command) == BAD_USAGE
    assert "another run is writing there (process 7 on another" in capsys.readouterr().err
    (place / LOCK).unlink()
    assert main(command) == 0
    assert not (place / LOCK).exists()
    assert len(maest.open_results(str(place)).ids) == 1
    # Refused for what is there: it is let go, too.
    assert main(command) == BAD_USAGE
    assert not (place / LOCK).exists()


def test_a_run_that_was_replaced_stops_early(place, tmp_path, monkeypatch, capsys):
    write_audio(tmp_path / "a.flac", 6.0, 16000, 1)

    begin = RemoteWriter.begin

    def begin_and_lose(writer: RemoteWriter) -> None:
        begin(writer)
        someone_else(place)
        writer.beat()

    monkeypatch.setattr(RemoteWriter, "begin", begin_and_lose)
    assert main(["analyze", str(tmp_path / "a.flac"), "-o", str(place), *COMMAND]) == 3
    assert "another run took the folder over" in capsys.readouterr().err
    assert sorted(path.name for path in place.iterdir()) == [LOCK]


def test_heads_are_applied_by_one_writer_only(tmp_path, place):
    """Here and behind URLs: parts could be replaced meanwhile."""
    head = write_linear_head(tmp_path / "style.onnx")
    here = tmp_path / "here"
    for folder in (here, place):
        write_results(folder, ["x.mp3"], embeddings_of(["x"]))
        holder = writer_of(folder)
        holder.begin()
        with pytest.raises(InvalidArgumentError, match="another run is writing there"):
            apply_heads([head], folder)
        assert maest.open_results(str(folder)).heads == ()
        holder.end()
        apply_heads([head], folder)
        assert maest.open_results(str(folder)).heads == ("style",)
        writer_of(folder).begin()
