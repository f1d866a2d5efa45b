"""Which track of a library somebody means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError

_MOST_LISTED = 10
_MOST_CLOSE = 5


def find_track(asked: str, files: Sequence[str], names: Sequence[str]) -> int:
    """Find a track by its path, or by a part of it that no other has.

    Parameters
    ----------
    asked : str
        Path of the file, as it is or relative to the working directory or to the folder that was
        analysed, or part of the latter. Case counts only where several would be found without.
    files : sequence of str
        Absolute path of each track.
    names : sequence of str
        What each is called in the tables: its path relative to the folder that was analysed.

    Returns
    -------
    int
        Its row.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Several are meant: they are listed; or none: those with the closest names are.
    """
    if not asked.strip():
        raise InvalidArgumentError("an empty name of a track was asked for; wanted: part of one")
    found = _matches(asked, files, names)
    if len(found) == 1:
        return found[0]
    shown = printable_path(asked)
    if found:
        listed = [f"  {printable_path(names[row])}" for row in found[:_MOST_LISTED]]
        if len(found) > _MOST_LISTED:
            listed.append(f"  and {len(found) - _MOST_LISTED} more")
        raise InvalidArgumentError(
            "\n".join([f"{shown}: {len(found)} tracks found; wanted: one of them", *listed])
        )
    close = _closest(asked, names)
    listed = [f"  {printable_path(name)}" for name in close]
    end = "; the closest:" if close else ""
    raise InvalidArgumentError("\n".join([f"{shown}: no such track found{end}", *listed]))


def is_of_library(asked: str, files: Sequence[str]) -> bool:
    """Tell whether a path is that of one of the files."""
    return os.path.abspath(asked) in set(files)


def _matches(asked: str, files: Sequence[str], names: Sequence[str]) -> list[int]:
    """Give what is meant, by the first rule that anything answers to."""
    absolute = os.path.abspath(asked)
    folded = asked.casefold()
    found = [row for row, file in enumerate(files) if file == absolute]
    found = found or [row for row, name in enumerate(names) if name == asked]
    if found:
        return found
    found = [row for row, name in enumerate(names) if folded in name.casefold()]
    exact = [row for row in found if asked in names[row]]
    return exact if len(found) > 1 and exact else found


def _closest(asked: str, names: Sequence[str]) -> list[str]:
    """Give names that are spelled like it, whole or their last part without its ending."""
    wanted = _spoken(asked)
    by_spoken: dict[str, str] = {}
    for name in names:
        by_spoken.setdefault(_spoken(name), name)
    close = difflib.get_close_matches(wanted, by_spoken, _MOST_CLOSE, cutoff=0.5)
    return [by_spoken[spoken] for spoken in close]


def _spoken(name: str) -> str:
    return os.path.splitext(os.path.basename(name))[0].casefold()
