"""Data sets where they lie: on this machine, or in object storage through fsspec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

# pathlib makes one slash of the two: Path("s3://bucket/set") is "s3:/bucket/set".
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)
_BLOCK = 1 << 20


def is_remote(path: Path) -> bool:
    """Say whether a path is the URL of something outside this machine's file system."""
    return _URL.match(str(path)) is not None


def size_of(path: Path) -> int:
    """Give the bytes of a file.

    Raises
    ------
    OSError
        It is not there, or cannot be asked for.
    """
    if not is_remote(path):
        return path.stat().st_size
    system, inside = _system(path)
    with _failing_as_os_error():
        return int(system.size(inside))


def sizes_of(paths: Sequence[Path]) -> Iterator[int | OSError]:
    """Give the bytes of files of one folder, or why they cannot be told.

    In object storage the folder is listed once, and only files of which that tells no size are
    asked for one by one: a web server lists names alone, or nothing.
    """
    listed: dict[str, int | None] = {}
    if paths and is_remote(paths[0]):
        system, inside = _system(paths[0].parent)
        try:
            with _failing_as_os_error():
                entries = system.ls(inside, detail=True)
        except OSError:
            entries = []
        listed = {entry["name"].rpartition("/")[2]: entry.get("size") for entry in entries}
    for path in paths:
        size = listed.get(path.name)
        try:
            yield size_of(path) if size is None else int(size)
        except OSError as error:
            yield error


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises
    ------
    OSError
        It is not there, or cannot be read.
    """
    if not is_remote(path):
        return path.read_bytes()
    system, inside = _system(path)
    with _failing_as_os_error():
        content: bytes = system.cat_file(inside)
    return content


def opened(path: Path) -> pa.NativeFile:
    """Open a file for Arrow: memory mapped, or in object storage, of which only parts are fetched.

    Raises
    ------
    OSError
        It is not there, or cannot be read.
    """
    if not is_remote(path):
        return pa.memory_map(str(path))
    system, inside = _system(path)
    with _failing_as_os_error():
        return pa.PythonFile(system.open(inside, "rb", block_size=_BLOCK), mode="r")


@contextmanager
def _failing_as_os_error() -> Iterator[None]:
    """File systems of fsspec raise errors of their own libraries, too."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _system(path: Path) -> tuple[Any, str]:
    """Give the file system of a URL, and the path in it.

    Raises
    ------
    OSError
        No package for this kind of URL is installed, or it is unknown.
    """
    import fsspec

    found = _URL.match(str(path))
    assert found is not None
    url = f"{found[1]}://{found[2]}"
    try:
        system, inside = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise OSError(f"{url}: {error}") from error
    return system, str(inside)
