"""Patterns of paths, such as ``music/**/*.flac``, for those that no shell has expanded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_MAGIC = re.compile(r"[*?[]")
_EVERYWHERE = "**"


def has_magic(path: str) -> bool:
    """Tell whether a path would be a pattern."""
    return _MAGIC.search(path) is not None


class Pattern:
    """A pattern, of which `*`, `?` and `[...]` stay within a name and `**` is any folders.

    Parameters
    ----------
    path : str
        Absolute.

    Attributes
    ----------
    base : str
        The folder below which all of it lies: what comes before the first part with magic.
    """

    def __init__(self, path: str) -> None:
        parts = path.split(os.sep)
        first = next(number for number, part in enumerate(parts) if has_magic(part))
        self.base = os.sep.join(parts[:first]) or os.sep
        self._parts = [part for part in parts[first:] if part]
        names = [re.compile(_name(part)) for part in self._parts]
        where = self._parts.index(_EVERYWHERE) if _EVERYWHERE in self._parts else len(names)
        self._fixed = names[:where]
        # What a folder holds whose name matches is meant as if the folder had been given.
        self._whole = re.compile(_whole(self._parts) + "(?P<below>/.*)?", re.DOTALL)
        ending = os.path.splitext(self._parts[-1])[1]
        self._names_ending = bool(ending) and not has_magic(ending)

    def enters(self, folders: Sequence[str]) -> bool:
        """Tell whether a folder can hold what matches.

        Parameters
        ----------
        folders : sequence of str
            Its name and those of the folders above it, from `base` on.
        """
        return all(
            name.fullmatch(folder)
            for name, folder in zip(self._fixed, folders)  # noqa: B905 (the shorter counts)
        )

    def takes(self, relative: str) -> bool | None:
        """Tell whether a file is meant.

        Parameters
        ----------
        relative : str
            Its path, relative to `base`.

        Returns
        -------
        bool or None
            None where it matches, but the pattern leaves open what the name ends with: it is meant
            if it ends as audio files do.
        """
        found = self._whole.fullmatch(relative)
        if found is None:
            return False
        return True if self._names_ending and found["below"] is None else None


def _whole(parts: Sequence[str]) -> str:
    text = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == _EVERYWHERE:
            text += ".+" if last else "(?:[^/]+/)*"
        else:
            text += _name(part) + ("" if last else "/")
    return text


def _name(part: str) -> str:
    """Spell a part of a pattern as a regular expression."""
    text, place = "", 0
    while place < len(part):
        letter = part[place]
        place += 1
        # "]" right behind the bracket, or its "!", is a letter of the set.
        end = part.find("]", place + (2 if part[place : place + 1] in ("!", "^") else 1))
        if letter == "*":
            text += "[^/]*"
        elif letter == "?":
            text += "[^/]"
        elif letter == "[" and end > 0:
            inside = part[place:end].replace("\\", r"\\").replace("[", r"\[")
            negated = inside[:1] in ("!", "^")
            inside = inside[1:] if negated else inside
            inside = inside.replace("]", r"\]").replace("^", r"\^")
            inside = re.sub(r"([&~|])", r"\\\1", inside)
            text += f"[^/{inside}]" if negated else f"[{inside}]"
            place = end + 1
        else:
            text += re.escape(letter)
    return text
