"""Playlists as files: extended M3U in UTF-8."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..reading.plain_text import is_plain

_PLACE_MARKS = ("#", " ", "\t", "\ufeff")


@dataclass(frozen=True)
class Entry:
    """A track of a playlist.

    Attributes
    ----------
    file : str
        Absolute path.
    seconds : float
        Its length.
    title : str
        What players show.
    """

    file: str
    seconds: float
    title: str


def m3u8(entries: Sequence[Entry], folder: str | None) -> tuple[str, list[str]]:
    r"""Put tracks into the text of a playlist.

    Parameters
    ----------
    entries : sequence of Entry
        In the order in which they are played.
    folder : str or None
        Absolute path of the folder that paths are relative to; None leaves them absolute.

    Returns
    -------
    text : str
        ``#EXTM3U``, and two lines for each track: ``#EXTINF:seconds,title``, and the path. A path
        that is no line of UTF-8 (with a line break, or bytes that are no text) is written as a
        ``file:`` address, which has them as ``%0A``.
    spelled_as_addresses : list of str
        Files of which that is so: not every player takes them.
    """
    lines = ["#EXTM3U"]
    spelled = []
    for entry in entries:
        seconds = max(0, round(entry.seconds))
        lines.append(f"#EXTINF:{seconds},{_one_line(entry.title)}")
        path = entry.file if folder is None else os.path.relpath(entry.file, folder)
        if not is_plain(path) or path != path.strip():
            path = Path(entry.file).as_uri()
            spelled.append(entry.file)
        elif path.startswith(_PLACE_MARKS) or ":" in path.split("/", 1)[0]:
            path = f"./{path}"  # no comment, and no address
        lines.append(path)
    return "\n".join(lines) + "\n", spelled


def _one_line(title: str) -> str:
    """Leave out of a title what no player shows: line breaks, undecodable bytes."""
    text = os.fsencode(title).decode("utf-8", "replace")
    return " ".join("".join(c if is_plain(c) else " " for c in text).split())
