"""Where tables are: a folder, or a URL that is used as one."""

from __future__ import annotations

import errno
import json
import os
import secrets
from pathlib import Path
from typing import Any, cast

from ..errors import InvalidArgumentError, in_words
from ..files import remove_unfinished, write_json, write_whole
from ..remote.urls import OBJECT_STORES, absolute, filesystem, is_url


def place_of(folder: str | os.PathLike[str]) -> Path:
    """Give a folder as a path.

    Parameters
    ----------
    folder : str or os.PathLike
        Path or URL.

    Returns
    -------
    pathlib.Path
        Absolute; for a URL a ``upath.UPath``, which has the same methods. Write with `write_file`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        What URLs need is not installed.
    """
    if is_remote(folder):
        return cast(Path, folder)
    path = absolute(folder)
    if not is_url(path):
        return Path(path)
    filesystem(path)
    try:
        from upath import UPath
    except ImportError as error:
        raise InvalidArgumentError(
            f"{path}: tables behind URLs need universal-pathlib, which is not installed; wanted: "
            "pip install 'essentia-maest[remote]'"
        ) from error
    return cast(Path, UPath(path.rstrip("/")))


def is_remote(path: object) -> bool:
    """Tell whether a path, as `place_of` gave it, is behind a URL."""
    return not isinstance(path, str | bytes | Path) and hasattr(path, "fs")


def moves_by_copying(path: Path) -> bool:
    """Tell whether a file that is moved to its place may be there in part: see `write_file`."""
    return is_remote(path) and _protocol(path) not in OBJECT_STORES


def make_folder(path: Path) -> None:
    """Make a folder, if it is not there; object stores have none.

    Raises
    ------
    OSError
        It cannot be made.
    """
    if not is_remote(path):
        path.mkdir(parents=True, exist_ok=True)
    elif _protocol(path) not in OBJECT_STORES:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except Exception as error:
            raise as_os_error(error, path) from error


Content = bytes | memoryview
"""What a file is to hold."""


def write_file(path: Path, content: Content) -> None:
    """Write a file, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        As `place_of` gave its folder. Where no object store is behind it, the file is written
        beside its place and moved.
    content : bytes or memoryview
        What it holds.

    Raises
    ------
    OSError
        It could not be written.
    """
    if not is_remote(path):
        write_whole(path, content)
        return
    content = bytes(content)
    try:
        system = path.fs  # type: ignore[attr-defined]
        name = path.path  # type: ignore[attr-defined]
        if _protocol(path) in OBJECT_STORES:
            system.pipe_file(name, content)
            return
        unfinished = f"{name.rpartition('/')[0]}/.maest-{secrets.token_hex(8)}.part"
        try:
            system.pipe_file(unfinished, content)
            system.mv(unfinished, name)
        except BaseException:
            if system.exists(unfinished):
                system.rm(unfinished)
            raise
    except Exception as error:
        raise as_os_error(error, path) from error


def write_json_file(path: Path, value: Any) -> None:
    """Write a JSON file; see `write_file` and `essentia_maest.files.write_json`."""
    if not is_remote(path):
        write_json(path, value)
        return
    text = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False)
    write_file(path, text.encode("utf-8", "backslashreplace") + b"\n")


def remove_scraps(folder: Path) -> None:
    """Remove what processes that were killed while writing left in a folder."""
    if not is_remote(folder):
        remove_unfinished(folder)


def _protocol(path: Path) -> str:
    return str(path.protocol)  # type: ignore[attr-defined]


def as_os_error(error: Exception, path: Path) -> OSError:
    """Give what went wrong behind a URL as an OSError, whatever library raised it."""
    if isinstance(error, OSError):
        return error
    return OSError(errno.EREMOTEIO, in_words(error), str(path))
