"""Paths as text that any reader of UTF-8 takes, and back again to the byte."""

from __future__ import annotations

import os
import re
from pathlib import Path

# What would be read as an escape: its own backslash is escaped.
_LOOKS_ESCAPED = re.compile(r"\\(?=x(?:[89a-f][0-9a-f]|5c))")
_ESCAPE = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")


def path_text(path: str | Path) -> str:
    r"""Spell a path in valid UTF-8.

    Parameters
    ----------
    path : str or pathlib.Path
        Any path, or URL; undecodable bytes are lone surrogates, as Python has them.

    Returns
    -------
    str
        The path. A byte that is not UTF-8 is written as ``\xff`` is; where the path itself has
        such letters, their backslash is written ``\x5c``.

    Examples
    --------
    >>> import os
    >>> print(path_text(os.fsdecode(b"caf\xe9.mp3")))
    caf\xe9.mp3
    """
    escaped = _LOOKS_ESCAPED.sub(r"\\x5c", str(path))
    return os.fsencode(escaped).decode("utf-8", "backslashreplace")


def path_of_text(text: str) -> str:
    """Give the path back that `path_text` spelled.

    Parameters
    ----------
    text : str
        What it gave.

    Returns
    -------
    str
        As Python's functions take it.
    """
    encoded = text.encode("utf-8", "surrogateescape")
    return os.fsdecode(_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), encoded))
