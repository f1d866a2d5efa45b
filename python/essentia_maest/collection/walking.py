"""Folders, searched through all levels: each once, without what machines keep for themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_MACHINES = frozenset({"@eadir", "#recycle", "#snapshot", "__macosx", "$recycle.bin"})


def is_hidden_folder(name: str) -> bool:
    """Tell folders that people do not see: hidden ones, and those of NAS, bins and archives."""
    return name.startswith(".") or name.casefold() in _MACHINES


def is_beside(name: str) -> bool:
    """Tell what macOS keeps beside "x.mp3" on disks of others: "._x.mp3"."""
    return name.startswith("._")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in a folder.

    Attributes
    ----------
    path : str
        Where it was found.
    relative : str
        The same, from the folder that was searched.
    target : str
        What it is in the end, symbolic links followed.
    """

    path: str
    relative: str
    target: str


@dataclass
class Passed:
    """What a walk met and did not go into.

    Attributes
    ----------
    unreadable : list of tuple of str
        Folders that could not be listed, each with the reason.
    skipped : list of str
        Hidden folders.
    """

    unreadable: list[tuple[str, str]]
    skipped: list[str]


def walk(
    top: str,
    passed: Passed,
    *,
    hidden: bool = False,
    enters: Callable[[Sequence[str]], bool] = lambda _: True,
) -> Iterator[FoundFile]:
    """Give the files in a folder and those below it, sorted, a folder's own files first.

    Symbolic links are followed, and each folder is searched once. Pipes, sockets and devices are
    nothing that somebody means who names a folder; links that lead nowhere are given, so that they
    are reported.

    Parameters
    ----------
    top : str
        Absolute; searched whatever its name.
    passed : Passed
        Takes what is passed by.
    hidden : bool
        Search hidden folders, too.
    enters : callable
        Names of folders from `top` on -> whether to search the last of them.

    Yields
    ------
    FoundFile
    """
    visited: set[tuple[int, int]] = set()
    waiting: list[tuple[str, tuple[str, ...]]] = [(top, ())]
    while waiting:
        folder, names = waiting.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            passed.unreadable.append((folder, error.strerror or str(error)))
            continue
        real = os.path.realpath(folder)
        below: list[tuple[str, tuple[str, ...]]] = []
        for entry in entries:
            if _is(entry.is_dir):
                if not enters((*names, entry.name)):
                    continue
                if is_hidden_folder(entry.name) and not hidden:
                    passed.skipped.append(entry.path)
                else:
                    below.append((entry.path, (*names, entry.name)))
            elif entry.is_symlink():
                if _is(entry.is_file) or not os.path.exists(entry.path):
                    target = os.path.realpath(entry.path)
                    yield FoundFile(entry.path, os.path.join(*names, entry.name), target)
            elif _is(entry.is_file):
                target = os.path.join(real, entry.name)
                yield FoundFile(entry.path, os.path.join(*names, entry.name), target)
        waiting += reversed(below)


def _is(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:
        return False
