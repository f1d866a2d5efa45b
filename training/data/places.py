"""Data sets where they lie: on this machine, or in object storage through fsspec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
    return int(system.size(inside))


def sizes_of(paths: Sequence[Path]) -> Iterator[int | OSError]:
    """Give the bytes of files of one folder, or why they cannot be told.

    In object storage the folder is listed once: thousands of files are not asked for one by one.
    """
    listed: dict[str, int] | None = None
    if paths and is_remote(paths[0]):
        system, inside = _system(paths[0].parent)
        try:
            listed = {
                entry["name"].rpartition("/")[2]: int(entry["size"] or 0)
                for entry in system.ls(inside, detail=True)
            }
        except FileNotFoundError:
            listed = {}
    for path in paths:
        try:
            if listed is not None and path.name not in listed:
                raise FileNotFoundError(f"{path}: no such file")
            yield path.stat().st_size if listed is None else listed[path.name]
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
    return pa.PythonFile(system.open(inside, "rb", block_size=_BLOCK), mode="r")


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
