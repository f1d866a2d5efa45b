"""Lists of files: plain ones, a path a line, and playlists (m3u, m3u8)."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError
from ..remote.urls import is_url, local_path

_PLAYLISTS = (".m3u", ".m3u8")
_HEADER = b"#EXTM3U"
_STDIN = "-"
# What programs for Windows write where they do not write UTF-8.
_FALLBACK = "cp1252"
_WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Listed:
    """An entry of a list.

    Attributes
    ----------
    path : str
        Absolute, or a URL; perhaps nothing is there.
    base : str
        The folder from which the list tells where the file is; empty where it tells all.
    """

    path: str
    base: str


def read_list(source: str) -> list[Listed]:
    """Read a list.

    A path a line, or, where there is a NUL, between NULs, as ``find -print0`` writes them; relative
    to the working directory. In a playlist (named so, or beginning with ``#EXTM3U``) lines with
    ``#`` are comments, and paths are relative to the playlist. Text may be UTF-8 or UTF-16 with a
    mark, what is no UTF-8 is taken as it is where such a file exists, and as Windows-1252
    otherwise; lines may end as on any system.

    Parameters
    ----------
    source : str
        Path of the list; ``-`` is stdin.

    Returns
    -------
    list of Listed
        In the order of the list.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It cannot be read.
    """
    content = _content(source)
    playlist = source.lower().endswith(_PLAYLISTS) or content.lstrip(codecs.BOM_UTF8).startswith(
        _HEADER
    )
    base = os.getcwd()
    if playlist and source != _STDIN:
        base = os.path.dirname(os.path.abspath(source))
    return [
        Listed(found, "" if is_url(found) or os.path.isabs(text) else base)
        for line in _lines(content)
        if (text := _text(line, playlist)) and (found := _found(line, text, base, playlist))
    ]


def _content(source: str) -> bytes:
    try:
        if source != _STDIN:
            with open(source, "rb") as file:
                content = file.read()
        elif sys.stdin is None:
            raise InvalidArgumentError("stdin is closed; a list of files is wanted there")
        else:
            content = sys.stdin.buffer.read()
    except OSError as error:
        raise InvalidArgumentError(
            f"{printable_path(source)}: the list cannot be read: {error.strerror or error}"
        ) from error
    for mark, name in _WIDE.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(name, "replace").encode("utf-8", "replace")
    return content.removeprefix(codecs.BOM_UTF8)


def _lines(content: bytes) -> Iterator[bytes]:
    if b"\0" in content:
        yield from content.split(b"\0")
        return
    lines = content.split(b"\n")
    if len(lines) == 1:  # line ends of old Macs
        lines = content.split(b"\r")
    for line in lines:
        yield line.removesuffix(b"\r")


def _text(line: bytes, playlist: bool) -> str:
    """Spell a line as Python spells paths; empty if it names nothing."""
    if playlist:
        line = line.strip()
        if line.startswith(b"#"):
            return ""
    return os.fsdecode(line)


def _found(line: bytes, text: str, base: str, playlist: bool) -> str:
    """Give what a line names: the first reading of it that exists, or else the plainest."""
    first = ""
    for reading in _readings(line, text, playlist):
        path = local_path(reading) if is_url(reading) else os.path.join(base, reading)
        if is_url(path):
            return path
        path = os.path.normpath(path)
        first = first or path
        if os.path.lexists(path):
            return path
    return first


def _readings(line: bytes, text: str, playlist: bool) -> Iterator[str]:
    yield text
    try:
        line.decode()
    except UnicodeDecodeError:
        text = line.strip().decode(_FALLBACK, "replace")
        yield text
    # Names that a Mac composed otherwise than this file system has them.
    for form in ("NFC", "NFD"):
        yield unicodedata.normalize(form, text)
    if playlist:
        yield text.replace("\\", "/")
        if "%" in text:
            yield unquote(text)
