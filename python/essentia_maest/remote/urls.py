"""URLs of files and folders: told from paths, taken apart, put together."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import unquote

from ..errors import InvalidArgumentError

# "zip://a.wav::s3://bucket/x.zip": a file inside another.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(?:://|::)")
_FILE = "file://"

#: Where a write is whole by itself: nothing is there before all has come.
OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "ocilake", "oci", "memory"}
)


def is_url(path: str) -> bool:
    """Tell URLs from paths.

    Parameters
    ----------
    path : str
        As somebody gave it.

    Returns
    -------
    bool
    """
    return _URL.match(path) is not None


def local_path(url: str) -> str:
    """Give the path that ``file://`` names; other URLs, and paths, as they are.

    Parameters
    ----------
    url : str
        Any.

    Returns
    -------
    str
    """
    if not url.lower().startswith(_FILE) or "::" in url:
        return url
    rest = url[len(_FILE) :]
    path = rest[rest.find("/") :] if "/" in rest else rest
    # By the book such a URL is escaped; many programs do not.
    return path if os.path.lexists(path) else unquote(path)


def absolute(path: str | os.PathLike[str]) -> str:
    """Make a path absolute, and leave a URL as it is.

    Parameters
    ----------
    path : str or os.PathLike
        Any.

    Returns
    -------
    str
        As Python's functions take it.
    """
    text = os.fsdecode(path)
    if is_url(text) and not os.path.lexists(text):
        text = local_path(text)
        if is_url(text):
            return text
    return os.path.abspath(text)


def joined(root: str, relative: str) -> str:
    """Give the path, or URL, of something below a folder.

    Parameters
    ----------
    root : str
        Path or URL of the folder.
    relative : str
        What is below.

    Returns
    -------
    str
    """
    if not is_url(root):
        return os.path.join(root, relative)
    first, link, rest = root.partition("::")
    return f"{first if first.endswith('/') else first + '/'}{relative}{link}{rest}"


def relative_to(path: str, root: str) -> str:
    """Undo `joined`.

    Parameters
    ----------
    path : str
        Of something below `root`.
    root : str
        Path or URL of the folder.

    Returns
    -------
    str
    """
    if is_url(path):
        (_, _, name), (_, _, above) = (
            whole.partition("::")[0].partition("://") for whole in (path, root)
        )
        return name.removeprefix(above.rstrip("/")).removeprefix("/")
    if path.startswith(root + os.sep):
        return path[len(root) + 1 :]
    return os.path.relpath(path, root)


def folder_of(path: str) -> str:
    """Give the folder that a file is in.

    Parameters
    ----------
    path : str
        Path or URL of the file.

    Returns
    -------
    str
    """
    if not is_url(path):
        return os.path.dirname(path)
    first, link, rest = path.partition("::")
    scheme, slashes, name = first.partition("://")
    plain = re.split(r"[?#]", name)[0] if scheme.startswith("http") else name
    above = plain.rpartition("/")[0]
    return f"{scheme}{slashes}{above}{link}{rest}"


def filesystem(url: str) -> tuple[Any, str]:
    """Give fsspec's file system for a URL, and what the file is called there.

    Parameters
    ----------
    url : str
        A URL.

    Returns
    -------
    tuple
        fsspec.AbstractFileSystem, and a path of it.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        fsspec, or what it needs for such URLs, is not installed; nothing reads such URLs.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise InvalidArgumentError(
            f"{url}: URLs are read through fsspec, which is not installed; wanted: "
            "pip install 'essentia-maest[remote]'"
        ) from error
    try:
        found = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise InvalidArgumentError(f"{url}: {error}") from error
    return found[0], found[1]
