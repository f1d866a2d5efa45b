"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from essentia_maest import files


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    files.write_whole(tmp_path / "a", b"\0first")
    files.write_whole(tmp_path / "a", "Ä\r\n")
    with files.written_whole(tmp_path / "b") as place:
        assert place.parent == tmp_path
        place.write_bytes(b"second")
    assert (tmp_path / "a").read_bytes() == "Ä\r\n".encode()
    assert (tmp_path / "b").read_bytes() == b"second"
    assert names_in(tmp_path) == ["a", "b"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_whole(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    files.write_whole(tmp_path / ("n" * 255), b"content")
    assert names_in(tmp_path) == ["n" * 255]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    files.write_whole(tmp_path / "a", b"earlier")

    def fail() -> None:
        with files.written_whole(tmp_path / "a") as place:
            place.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert (tmp_path / "a").read_bytes() == b"earlier"
    assert names_in(tmp_path) == ["a"]


def test_of_files_written_together_all_are_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_together({tmp_path / "a": b"1", tmp_path / "no folder" / "b": b"2"})
    assert names_in(tmp_path) == []
    files.write_together({tmp_path / "a": b"1", tmp_path / "b": "2"})
    assert names_in(tmp_path) == ["a", "b"]


def test_files_written_elsewhere_are_moved_in_order(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    for name in ("a", "b"):
        (tmp_path / "made" / name).write_text(f"new {name}")
        (tmp_path / name).write_text("earlier")
    files.move_together({tmp_path / name: tmp_path / "made" / name for name in ("a", "b")})
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["new a", "new b"]
    assert names_in(tmp_path / "made") == []
    (tmp_path / "made" / "a").write_text("newer a")
    with pytest.raises(FileNotFoundError):
        files.move_together({tmp_path / name: tmp_path / "made" / name for name in ("a", "b")})
    assert (tmp_path / "a").read_text() == "new a"


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def fail() -> None:
        with files.folder_written_whole(tmp_path / "a") as place:
            (place / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names_in(tmp_path) == []
    with files.folder_written_whole(tmp_path / "a") as place:
        (place / "whole").touch()
        assert names_in(tmp_path) == [place.name]
    assert names_in(tmp_path) == ["a"]
    assert names_in(tmp_path / "a") == ["whole"]


def test_what_a_killed_process_left_of_a_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom essentia_maest import files\n"
        "with files.folder_written_whole(sys.argv[1]) as place:\n"
        "    (place / 'half').mkdir()\n    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a"], check=False)
    assert len(names_in(tmp_path)) == 1
    with files.folder_written_whole(tmp_path / "a") as place:
        (place / "whole").touch()
    assert names_in(tmp_path) == ["a"]
    assert names_in(tmp_path / "a") == ["whole"]


@pytest.mark.parametrize("size", [4097, 1 << 20])
def test_a_full_disk_keeps_its_number_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    """As `ulimit -f` makes one; small writes fail only when they leave Python's buffer."""
    program = (
        "import signal, sys\n"
        "from essentia_maest import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n"
        f"    files.write_whole(sys.argv[1], bytes({size}))\n"
        "except OSError as error:\n"
        "    print(error.errno, files.is_full_disk(error), error.filename)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a"],
        preexec_fn=limit, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [str(errno.EFBIG), "True", str(tmp_path / "a")]
    assert names_in(tmp_path) == []


def test_errors_name_the_file_that_was_wanted(tmp_path: Path) -> None:
    def write_in(folder: str) -> None:
        with files.written_whole(tmp_path / folder / "a") as place:
            place.write_bytes(b"1")

    with pytest.raises(FileNotFoundError, match="no folder/a'"):
        write_in("no folder")
    with pytest.raises(FileNotFoundError, match="no folder/b'"):
        files.write_whole(tmp_path / "no folder" / "b", "1")


def test_a_full_disk_is_known_by_what_an_error_came_from() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    wrapped = ValueError("cannot be written")
    wrapped.__cause__ = full
    assert files.is_full_disk(wrapped)
    for other in (None, ValueError(), FileNotFoundError(errno.ENOENT, "no")):
        assert not files.is_full_disk(other)


def test_bytes_that_did_not_arrive_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def lose_some(descriptor: int) -> None:
        os.ftruncate(descriptor, 3)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", lose_some)
    with pytest.raises(OSError, match="3 of 5 bytes arrived"):
        files.write_whole(tmp_path / "a", b"12345")
    assert names_in(tmp_path) == []


def test_json_is_valid_also_with_undecodable_names(tmp_path: Path) -> None:
    value = {"path": os.fsdecode(b"\xff.mp3"), "text": "Ä"}
    files.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == value
    assert "Ä" in text
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


def test_what_killed_processes_leave_is_removed(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom essentia_maest import files\n"
        "with files.written_whole(sys.argv[1]) as place:\n"
        "    place.write_bytes(b'half')\n    os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a"], check=False)
    (left,) = tmp_path.glob(files.UNFINISHED)
    assert left.read_bytes() == b"half"
    (tmp_path / "kept.part").write_bytes(b"somebody else's")
    files.remove_unfinished(tmp_path)
    assert names_in(tmp_path) == ["kept.part"]


def test_sha256(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "a").write_bytes(content)
    assert files.sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
