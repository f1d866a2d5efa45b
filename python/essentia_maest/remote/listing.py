"""What is below a URL."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

from ..errors import InvalidArgumentError, in_words
from .urls import filesystem, folder_of, is_url

_AT_ONCE = 16
_TIMES = (
    *("LastModified", "last_modified", "mtime", "updated", "modified", "Last-Modified"),
    *("date_time", "created"),
)
_MARKS = ("ETag", "etag", "Content-MD5", "md5Hash", "sha256")


@dataclass(frozen=True)
class RemoteFile:
    """A file that a URL names.

    Attributes
    ----------
    url : str
        Of the file.
    root : str
        The folder that was given, or that of the file that was given.
    size : int or None
        Bytes; None where the server does not say.
    mtime : int
        ns since 1970 of the last change; where the server does not tell that, a number made of what
        it tells instead (an ETag), which changes with it; or else 0.
    """

    url: str
    root: str
    size: int | None
    mtime: int


def list_url(url: str) -> Iterator[RemoteFile]:
    """Give the files that a URL names: itself, what is below a folder, what matches a pattern.

    Parameters
    ----------
    url : str
        What fsspec takes. A page of links is a folder if its URL ends with "/".

    Yields
    ------
    RemoteFile
        Sorted by their URLs.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing is there, or it cannot be listed.
    """
    system, path = filesystem(url)
    try:
        is_web = "http" in system.protocol or "https" in system.protocol
        if not is_web and any(letter in path for letter in "*?["):
            root = path[: min(path.find(letter) for letter in "*?[" if letter in path)]
            found = system.glob(path, detail=True)
            root = root.rpartition("/")[0]
        elif path.endswith("/") if is_web else system.isdir(path):
            if is_web:
                system.ls(path, detail=False)  # `find` passes over what cannot be reached
            found, root = system.find(path, detail=True), path.rstrip("/")
        else:
            found, root = {path: system.info(path)}, None
    except FileNotFoundError as error:
        raise InvalidArgumentError(f"{url}: no such file or folder") from error
    except Exception as error:  # of any library that fsspec may use
        raise InvalidArgumentError(f"{url}: cannot be listed: {in_words(error)}") from error
    files = {name: info for name, info in found.items() if info.get("type") != "directory"}
    if is_web and root is not None:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            files = dict(zip(files, threads.map(partial(_info, system), files), strict=True))
    for name in sorted(files):
        full = _full(system, name, url)
        folder = folder_of(full) if root is None else _full(system, root, url)
        yield RemoteFile(full, folder, _size(files[name]), _mtime(files[name]))


def status(url: str) -> tuple[int | None, int]:
    """Give size and time of change of a file, as `RemoteFile` has them.

    Parameters
    ----------
    url : str
        Of the file.

    Returns
    -------
    tuple
        `size` and `mtime`.

    Raises
    ------
    OSError
        It is not there, or cannot be asked.
    essentia_maest.errors.InvalidArgumentError
        See `filesystem`.
    """
    system, path = filesystem(url)
    try:
        info = system.info(path)
    except OSError:
        raise
    except Exception as error:
        raise OSError(in_words(error)) from error
    return _size(info), _mtime(info)


def _info(system: Any, name: str) -> Mapping[str, Any]:
    with suppress(Exception):  # it is reported when it is read
        found: Mapping[str, Any] = system.info(name)
        return found
    return {}


def _full(system: Any, name: str, url: str) -> str:
    if is_url(name):
        return name
    first, link, rest = url.partition("::")
    if not link:
        return str(system.unstrip_protocol(name))
    return f"{first.partition('://')[0]}://{name}{link}{rest}"


def _size(info: Mapping[str, Any]) -> int | None:
    size = info.get("size")
    return int(size) if size is not None else None


def _mtime(info: Mapping[str, Any]) -> int:
    for name in _TIMES:
        with suppress(KeyError, TypeError, ValueError, OverflowError):
            return _nanoseconds(info[name])
    mark = next((info[name] for name in _MARKS if info.get(name)), None)
    if mark is None:
        return 0
    return int.from_bytes(hashlib.sha256(str(mark).encode()).digest()[:8], "little") >> 1


def _nanoseconds(time: Any) -> int:
    """Read a time as any of fsspec's libraries tells it."""
    if isinstance(time, int | float):
        return int(time * 1e9)
    if isinstance(time, tuple):  # of a zip
        time = datetime(*time[:6])
    elif isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:  # a header of HTTP
            from email.utils import parsedate_to_datetime  # takes a while; asked of servers only

            time = parsedate_to_datetime(time)
    aware = time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc)
    return int(aware.timestamp() * 1e9)
