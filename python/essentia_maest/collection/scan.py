"""Find the audio files that a command line names, and give each a result name of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError
from ..remote.listing import RemoteFile, list_url
from ..remote.urls import absolute, folder_of, is_url, joined, relative_to
from .endings import audio_endings, sounds_like_audio
from .lists import Listed
from .patterns import Pattern, has_magic
from .result_names import without_collisions
from .walking import FoundFile, Passed, is_beside, is_hidden_folder, walk


@dataclass(frozen=True, slots=True)
class Track:
    """One audio file and where its results go.

    Attributes
    ----------
    path : str
        Absolute path of the audio file, or its URL.
    result : str
        Path of its results relative to the result folder, without ``.json`` or ``.npy``.
    root : str
        The folder that was given, or the folder of the file that was given.
    listed : RemoteFile, optional
        Of a URL: what the server told when it was found.
    """

    path: str
    result: str
    root: str = ""
    listed: RemoteFile | None = None

    @property
    def relative(self) -> str:
        """`path`, relative to `root`."""
        return relative_to(self.path, self.root or folder_of(self.path))


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
    skipped : list of str
        Hidden folders, those of machines (``@eaDir``), and what macOS keeps beside audio files.
    """

    tracks: list[Track] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    duplicates: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, before it is known what its results are called."""

    path: str
    name: str
    root: str
    target: str
    listed: RemoteFile | None = None


def scan(
    paths: Iterable[str | os.PathLike[str]],
    *,
    listed: Sequence[Listed] = (),
    hidden: bool = False,
) -> Scan:
    """Find the audio files among files, folders, patterns and URLs.

    Folders are searched through all levels, following symbolic links, each folder once; what they
    hold is taken if its name ends as audio files do (`audio_endings`); what ends as music that
    nobody here reads is noted. Files named themselves are taken whatever their name. What does not
    exist and has ``*``, ``?`` or ``[`` is a pattern. One file reached twice is taken once.

    Results mirror the folders: ``FOLDER/a/b.mp3`` becomes ``a/b.mp3``; if several paths were
    given, ``FOLDER`` itself is kept as the first level. Names that would still collide, also on
    file systems that ignore case, get a digest of their path.

    Parameters
    ----------
    paths : iterable of str or os.PathLike
        Files, folders, patterns, URLs.
    listed : sequence of Listed
        Entries of lists. What is not there is a track all the same, so that it is reported.
    hidden : bool
        Search hidden folders, too, and those of NAS, bins and archives.

    Returns
    -------
    Scan
        The tracks; empty if there are none.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        One of `paths` does not exist, or a URL cannot be listed.
    """
    given = [absolute(path) for path in paths]
    for path in given:
        if not is_url(path) and not os.path.lexists(path) and not has_magic(path):
            raise InvalidArgumentError(f"{printable_path(path)}: no such file or folder")
    search = _Search(len(given) + len(listed) > 1, hidden)
    seen: set[str] = set()
    files: list[_Found] = []
    for file in search.files(given, listed):
        if file.target in seen:
            search.found.duplicates += 1
        else:
            seen.add(file.target)
            files.append(file)
    names = without_collisions([(file.path, file.name) for file in files])
    search.found.tracks = [
        Track(file.path, name, file.root, file.listed)
        for file, name in zip(files, names, strict=True)
    ]
    return search.found


class _Search:
    """A search, and what it passed by."""

    def __init__(self, several: bool, hidden: bool) -> None:
        self.found = Scan()
        self._several = several
        self._hidden = hidden
        self._passed = Passed(self.found.unreadable, self.found.skipped)

    def files(self, given: Sequence[str], listed: Sequence[Listed]) -> Iterator[_Found]:
        for path in given:
            if is_url(path):
                yield from self._below_url(path)
            elif os.path.isdir(path):
                yield from self._in_folder(path)
            elif os.path.lexists(path):
                yield _named(path, os.path.dirname(path))
            else:
                yield from self._matching(path)
        for entry in listed:
            if is_url(entry.path):
                yield _Found(entry.path, _last(entry.path), folder_of(entry.path), entry.path)
            elif os.path.isdir(entry.path):
                yield from self._in_folder(entry.path)
            else:
                below = entry.base and entry.path.startswith(os.path.join(entry.base, ""))
                yield _named(entry.path, entry.base if below else os.path.dirname(entry.path))

    def _in_folder(self, folder: str) -> Iterator[_Found]:
        for file in walk(folder, self._passed, hidden=self._hidden):
            if self._is_audio(file.path, file.relative):
                yield self._of_folder(file, folder)

    def _matching(self, path: str) -> Iterator[_Found]:
        pattern, matches = Pattern(path), False
        if os.path.isdir(pattern.base):
            for file in walk(
                pattern.base, self._passed, hidden=self._hidden, enters=pattern.enters
            ):
                takes = pattern.takes(file.relative)
                matches = matches or takes is not False
                if takes or (takes is None and self._is_audio(file.path, file.relative)):
                    yield self._of_folder(file, pattern.base)
        if not matches:
            raise InvalidArgumentError(
                f"{printable_path(path)}: no such file or folder, and as a pattern it matches none"
            )

    def _below_url(self, url: str) -> Iterator[_Found]:
        passed: set[str] = set()
        for file in list_url(url):
            relative = relative_to(file.url, file.root)
            folders = relative.split("/")[:-1]
            hidden = next(
                (at for at, name in enumerate(folders, 1) if is_hidden_folder(_plain(url, name))),
                None,
            )
            if hidden is not None and not self._hidden:
                passed.add(joined(file.root, "/".join(folders[:hidden])))
            elif file.url == url or self._is_audio(file.url, _plain(url, relative)):
                name = os.path.join(_last(file.root), relative) if self._several else relative
                yield _Found(file.url, name, file.root, file.url, file)
        self.found.skipped += sorted(passed)

    def _of_folder(self, file: FoundFile, folder: str) -> _Found:
        prefix = os.path.basename(folder) if self._several else ""
        return _Found(file.path, os.path.join(prefix, file.relative), folder, file.target)

    def _is_audio(self, path: str, relative: str) -> bool:
        name = os.path.basename(relative)
        ending = os.path.splitext(name)[1].lower()
        if not sounds_like_audio(ending):
            return False
        if is_beside(name) and not self._hidden:
            self.found.skipped.append(path)
            return False
        if ending not in audio_endings():
            self.found.left_out.setdefault(ending, []).append(path)
            return False
        return True


def _named(path: str, root: str) -> _Found:
    return _Found(path, os.path.relpath(path, root), root, os.path.realpath(path))


def _last(url: str) -> str:
    return url.partition("::")[0].rstrip("/").rpartition("/")[2]


def _plain(url: str, name: str) -> str:
    """Give the name that a web page has in the words of its links: "%40eaDir" is "@eaDir"."""
    return unquote(name) if url.lower().startswith(("http://", "https://")) else name
