"""Find the audio files that a command line names, and give each a result name of its own."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec

from .. import _core
from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError

#: What files are whose names end so, in lower case: containers as the engine's table of routes has
#: them (`_core.routes`). Where none of them has a route that is open here, folders are not searched
#: for it.
_CONTAINERS = {
    ".3g2": "mp4", ".3ga": "mp4", ".3gp": "mp4", ".aa": "", ".aa3": "", ".aac": "adts latm adif",
    ".aax": "mp4", ".ac3": "ac3", ".adts": "adts", ".aif": "aiff aifc", ".aifc": "aiff aifc",
    ".aiff": "aiff aifc", ".amr": "amr", ".ape": "ape", ".at3": "", ".au": "au", ".awb": "amr",
    ".caf": "caf", ".dff": "dff", ".dsf": "dsf", ".dts": "dts", ".eac3": "ac3", ".flac": "flac",
    ".la": "", ".m4a": "mp4", ".m4b": "mp4", ".m4p": "mp4", ".m4r": "mp4", ".mid": "", ".midi": "",
    ".mka": "matroska", ".mlp": "", ".mod": "", ".mp1": "mpeg", ".mp2": "mpeg", ".mp3": "mpeg",
    ".mp4": "mp4", ".mpc": "musepack", ".mpga": "mpeg", ".mp+": "musepack", ".ofr": "optimfrog",
    ".ofs": "optimfrog", ".oga": "ogg", ".ogg": "ogg", ".oma": "", ".opus": "ogg",
    ".ra": "realmedia", ".rf64": "rf64", ".rm": "realmedia", ".s3m": "", ".shn": "shorten",
    ".snd": "au", ".spx": "ogg", ".tak": "tak", ".thd": "", ".tta": "tta", ".voc": "voc",
    ".vqf": "", ".w64": "w64", ".wav": "wav", ".wave": "wav", ".weba": "webm", ".webm": "webm",
    ".wma": "asf", ".wv": "wavpack", ".xm": "",
}  # fmt: skip

LONGEST_NAME = 255 - len(".predictions.npy")
"""Bytes of a result name that leave room, on common file systems, for what is appended to it."""

RESERVED_NAMES = frozenset({"summary"})
"""Result names that would overwrite what the run itself writes."""

RESERVED_FOLDERS = frozenset({"summary.json"})
"""Folder names that would stand where the run itself writes."""


@dataclass(frozen=True)
class Track:
    """One audio file and where its results go.

    Attributes
    ----------
    path : str
        Absolute path of the audio file.
    result : str
        Path of its results relative to the result folder, without ``.json`` or ``.npy``.
    root : str
        The folder that was given, or the folder of the file that was given.
    """

    path: str
    result: str
    root: str = ""

    @property
    def relative(self) -> str:
        """`path`, relative to `root`."""
        return os.path.relpath(self.path, self.root or os.path.dirname(self.path))


@dataclass
class Scan:
    """What was found.

    Attributes
    ----------
    tracks : list of Track
        Every audio file once, in the order of the arguments, sorted within a folder.
    unreadable : list of tuple of str
        Folders that could not be listed, each with the reason.
    duplicates : int
        How many names were left out because they lead to a file already in `tracks`.
    left_out : dict of str to list of str
        Files in folders that no decoder here reads, by the ending of their names.
    """

    tracks: list[Track] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    duplicates: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)


@cache
def audio_endings() -> frozenset[str]:
    """Tell what names of files end with that are taken from folders.

    Returns
    -------
    frozenset of str
        In lower case, with their dots: those of what some decoder that is installed reads.
    """
    there = {"ffmpeg", "sndfile"} | ({"extra"} if find_spec("av") else set())
    read = {route.container for route in _core.routes() if there.intersection(route.readers)}
    return frozenset(
        ending for ending, names in _CONTAINERS.items() if read.intersection(names.split())
    )


def scan(paths: Iterable[str | os.PathLike[str]]) -> Scan:
    """Find the audio files among files and folders.

    Folders are searched through all levels, following symbolic links, each folder once; what they
    hold is taken if its name ends as audio files do (`audio_endings`); what ends as music that
    nobody here reads is noted. Files named themselves are taken whatever their name. One file
    reached twice is taken once.

    Results mirror the folders: ``FOLDER/a/b.mp3`` becomes ``a/b.mp3``; if several paths were
    given, ``FOLDER`` itself is kept as the first level. Names that would still collide, also on
    file systems that ignore case, get a digest of their path.

    Parameters
    ----------
    paths : iterable of str or os.PathLike
        Files and folders.

    Returns
    -------
    Scan
        The tracks; empty if there are none.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        One of `paths` does not exist.
    """
    given = [os.path.abspath(os.fsdecode(path)) for path in paths]
    for path in given:
        if not os.path.lexists(path):
            raise InvalidArgumentError(f"{printable_path(path)}: no such file or folder")
    found = Scan()
    seen: set[str] = set()
    named: list[tuple[str, str]] = []
    roots: list[str] = []
    for path in given:
        for file, name in _files_of(path, len(given) > 1, found):
            target = os.path.realpath(file)
            if target in seen:
                found.duplicates += 1
            else:
                seen.add(target)
                named.append((file, name))
                roots.append(path if os.path.isdir(path) else os.path.dirname(path))
    found.tracks = _without_collisions(named, roots)
    return found


def _files_of(path: str, several: bool, found: Scan) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(path):
        yield path, os.path.basename(path)
        return
    prefix = os.path.basename(path) if several else ""
    for file in _walk(path, found):
        yield file, os.path.join(prefix, os.path.relpath(file, path))


def _walk(top: str, found: Scan) -> Iterator[str]:
    def cannot_list(error: OSError) -> None:
        found.unreadable.append((os.fsdecode(error.filename), error.strerror or str(error)))

    visited: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(top, onerror=cannot_list, followlinks=True):
        try:
            status = os.stat(folder)
        except OSError as error:
            cannot_list(error)
            subfolders.clear()
            continue
        if (status.st_dev, status.st_ino) in visited:
            subfolders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        subfolders.sort()
        for name in sorted(files):
            if name.startswith("._"):  # what macOS keeps beside "x.mp3" on foreign disks
                continue
            file, ending = os.path.join(folder, name), os.path.splitext(name)[1].lower()
            if ending in audio_endings() and not _is_special(file):
                yield file
            elif ending in _CONTAINERS and not _is_special(file):
                found.left_out.setdefault(ending, []).append(file)


def _is_special(path: str) -> bool:
    """Tell pipes, sockets and devices, which nobody means when they name a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False  # a broken link: to be reported as a track that cannot be read
    return not stat.S_ISREG(mode)


def _without_collisions(named: list[tuple[str, str]], roots: list[str]) -> list[Track]:
    wanted = [(path, _beside_summary(_shortened(name))) for path, name in named]
    taken = Counter(_key(name) for _, name in wanted)
    taken.update(RESERVED_NAMES)
    return [
        Track(path, name if taken[_key(name)] == 1 else _distinct(name, path), root)
        for (path, name), root in zip(wanted, roots, strict=True)
    ]


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
