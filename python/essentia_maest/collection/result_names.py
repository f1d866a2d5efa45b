"""What results of a file are called, where each has files of its own."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST_NAME = 255 - len(".predictions.npy")
"""Bytes of a result name that leave room, on common file systems, for what is appended to it."""

RESERVED_NAMES = frozenset({"summary"})
"""Result names that would overwrite what the run itself writes."""

RESERVED_FOLDERS = frozenset({"summary.json"})
"""Folder names that would stand where the run itself writes."""


def without_collisions(named: Sequence[tuple[str, str]]) -> list[str]:
    """Give each file a result name that no other has, also on file systems that ignore case.

    Parameters
    ----------
    named : sequence of tuple of str
        Path of a file, and the name that its results would have.

    Returns
    -------
    list of str
        That name, or one with a digest of the path.
    """
    wanted = [(path, _beside_summary(_shortened(name))) for path, name in named]
    taken = Counter(_key(name) for _, name in wanted)
    taken.update(RESERVED_NAMES)
    return [name if taken[_key(name)] == 1 else _distinct(name, path) for path, name in wanted]


def _beside_summary(name: str) -> str:
    first, slash, rest = name.partition(os.sep)
    return (
        _distinct(first, first) + slash + rest
        if slash and _key(first) in RESERVED_FOLDERS
        else name
    )


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _distinct(name: str, path: str, longest: int = LONGEST_NAME) -> str:
    """Add a digest of the path to a name, keeping its extension and its length within bounds."""
    folder, base = os.path.split(name)
    stem, extension = os.path.splitext(base)
    ending = "~" + hashlib.sha256(os.fsencode(path)).hexdigest()[:12] + extension
    room = max(longest - len(os.fsencode(ending)), 0)
    return os.path.join(folder, os.fsencode(stem)[:room].decode("utf-8", "ignore") + ending)


def _shortened(name: str) -> str:
    if len(os.fsencode(os.path.basename(name))) <= LONGEST_NAME:
        return name
    return _distinct(name, name)
