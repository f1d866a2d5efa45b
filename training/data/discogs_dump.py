"""Discogs' monthly dumps, read as a stream: https://www.discogs.com/data/.

``discogs_YYYYMMDD_masters.xml.gz`` is about 0.5 GB, ``..._releases.xml.gz`` about 10 GB with
17 M releases. Both are read once. Of each entry only numbers stay: about 100 bytes a release, so
2 to 3 GB for all of Discogs, rather than an hour more to read the releases a second time once it is
known which masters matter.
"""

from __future__ import annotations

import gzip
import re
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from essentia_maest.progress import ProgressDisplay
from training.data.ragged import Ragged
from training.errors import DataError

Kind = Literal["master", "release"]
_NUMBERED = re.compile(r"\s*\(\d+\)$")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST_ID = 2**31 - 1
_MEGABYTE = 1_000_000
_TOLD_EVERY = 1000


class Entry(NamedTuple):
    """A master or a release.

    Parameters
    ----------
    id : int
    master : int
        Of a release, 0 where it has none; a master's own id.
    artists : tuple of int
        The entry's main artists, not those of single tracks or credits.
    genres, styles : tuple of str
    tracks : tuple of (str, tuple of int)
        Position and artists of each track that has artists of its own; empty unless asked for.
    """

    id: int
    master: int
    artists: tuple[int, ...]
    genres: tuple[str, ...]
    styles: tuple[str, ...]
    tracks: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Asked:
    """What to read of a dump besides its entries.

    Parameters
    ----------
    releases : frozenset of int
        Whose tracks' own artists are wanted.
    names : dict of str to set of int
        `name_key` of artists whose ids are wanted -> the ids that were found: several, where
        artists of one name are told apart by a number.
    """

    releases: frozenset[int] = frozenset()
    names: dict[str, set[int]] = field(default_factory=dict)

    def note(self, name: str, number: int) -> None:
        """Take an artist's id down, if it was asked for."""
        found = self.names.get(name_key(name))
        if found is not None:
            found.add(number)


class Vocabulary:
    """Names numbered in the order of their first appearance."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def names(self) -> list[str]:
        """Names, the number being the place."""
        return list(self._codes)

    def code(self, name: str) -> int:
        """Look up a name's number; a new name gets the next one."""
        return self._codes.setdefault(name, len(self._codes))


@dataclass(frozen=True)
class Entries:
    """Entries of a dump as columns.

    Parameters
    ----------
    ids, masters : int64 [entries]
        As in `Entry`.
    artists, genres, styles : Ragged [entries]
        Artist ids; genres and styles as numbers of the vocabularies.
    track_artists : mapping
        (Release, `position_key`) -> artist ids, for the releases asked for.
    """

    ids: NDArray[np.int64]
    masters: NDArray[np.int64]
    artists: Ragged
    genres: Ragged
    styles: Ragged
    track_artists: Mapping[tuple[int, str], tuple[int, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def read_dump(
    path: Path,
    kind: Kind,
    genres: Vocabulary,
    styles: Vocabulary,
    refuse: Callable[[str], None],
    *,
    asked: Asked | None = None,
) -> Entries:
    """Read a whole dump into columns, with a progress bar.

    Parameters
    ----------
    path : Path
        ``.xml.gz`` or ``.xml``.
    kind : {"master", "release"}
    genres, styles : Vocabulary
        Grow by the names found; shared between dumps.
    refuse : callable
        Gets a description of every entry without a usable id.
    asked : Asked, optional
        What to read besides; its names get their ids.

    Raises
    ------
    DataError
        As `iterate_dump`, and when the dump has no entry.
    """
    ids, masters = array("i"), array("i")
    columns = [_Lists(), _Lists(), _Lists()]
    track_artists: dict[tuple[int, str], tuple[int, ...]] = {}
    for entry in iterate_dump(path, kind, refuse, asked):
        for position, artists in entry.tracks:
            track_artists[entry.id, position_key(position)] = artists
        ids.append(entry.id)
        masters.append(entry.master)
        columns[0].append(entry.artists)
        columns[1].append([genres.code(name) for name in entry.genres])
        columns[2].append([styles.code(name) for name in entry.styles])
    if not ids:
        raise DataError(f"{path}: no <{kind}> in it")
    of_artists, of_genres, of_styles = (column.ragged() for column in columns)
    return Entries(
        np.frombuffer(ids, np.int32).astype(np.int64),
        np.frombuffer(masters, np.int32).astype(np.int64),
        of_artists,
        of_genres,
        of_styles,
        track_artists,
    )


def iterate_dump(
    path: Path, kind: Kind, refuse: Callable[[str], None], asked: Asked | None = None
) -> Iterator[Entry]:
    """Yield a dump's entries one by one; each is freed before the next is read.

    Parameters
    ----------
    path : Path
    kind : {"master", "release"}
    refuse : callable
        Gets a description of every entry without a usable id, which is left out.
    asked : Asked, optional
        What to read besides; its names get their ids.

    Raises
    ------
    DataError
        When the file is missing, is another dump, is cut short or damaged; the message names the
        last entry read.
    """
    path = Path(path)
    last, read, shown = "", 0, 0
    try:
        _check_root(path, kind)
        megabytes = 1 + path.stat().st_size // _MEGABYTE
        with (
            _opened(path) as (file, on_disk),
            ProgressDisplay(f"reading {path.name}", megabytes, unit="MB") as progress,
        ):
            elements = etree.iterparse(
                file, tag=kind, resolve_entities=False, no_network=True, huge_tree=True
            )
            for _, element in elements:
                root = element.getparent()
                if root is None or root.getparent() is not None:
                    continue
                read += 1
                if read % _TOLD_EVERY == 0:
                    done = on_disk.tell() // _MEGABYTE
                    progress.advance(done - shown)
                    shown = done
                entry = _entry(element, kind, asked)
                if entry is None:
                    shown = etree.tostring(element, encoding="unicode")[:200]
                    refuse(f"<{kind}> number {read}: {shown}")
                else:
                    last = str(entry.id)
                    yield entry
                element.clear()
                while element.getprevious() is not None:
                    del root[0]
    except (etree.XMLSyntaxError, EOFError, zlib.error, OSError) as error:
        where = f"after <{kind}> number {read}, id {last}" if read else "at its beginning"
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path}: cut short or damaged {where}: {reason}; compare its checksum with the one "
            "that Discogs publishes and download it again"
        ) from None


def _entry(element: etree._Element, kind: Kind, asked: Asked | None) -> Entry | None:
    number = _identifier(element.get("id"))
    if number is None:
        return None
    master = number if kind == "master" else 0
    artists: list[int] = []
    names: dict[str, tuple[str, ...]] = {"genres": (), "styles": ()}
    tracks: tuple[tuple[str, tuple[int, ...]], ...] = ()
    # one pass over the direct children: tracks and credits below them have artists of their own
    for child in element.iterchildren("artists", "genres", "styles", "master_id", "tracklist"):
        if child.tag == "artists":
            artists.extend(_artist_ids(child, asked))
        elif child.tag == "tracklist":
            if asked is not None and kind == "release" and number in asked.releases:
                tracks = tuple(_tracks(child, asked))
        elif child.tag != "master_id":
            names[child.tag] = _texts(child, child.tag[:-1])
        elif kind == "release":
            master = _identifier(child.text) or 0
    return Entry(number, master, tuple(artists), names["genres"], names["styles"], tracks)


def _artist_ids(element: etree._Element, asked: Asked | None) -> Iterator[int]:
    for artist in element:
        number = next(map(_identifier, _texts(artist, "id")), None)
        if number is None:
            continue
        if asked is not None and asked.names:
            for name in _texts(artist, "name"):
                asked.note(name, number)
        yield number


def _tracks(tracklist: etree._Element, asked: Asked) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Give the tracks, those below an index track too, that have artists of their own."""
    for track in tracklist.iter("track"):
        found = [
            artist
            for child in track.iterchildren("artists")
            for artist in _artist_ids(child, asked)
        ]
        positions = _texts(track, "position")
        if found and positions:
            yield positions[0], tuple(found)


def position_key(position: str) -> str:
    """Bring a position to what is the same in `a1` and ` A1`, and in `1-01` and `1-1`."""
    return _ZEROS.sub("", position.strip().casefold())


def name_key(name: str) -> str:
    """Bring an artist's name to what Discogs tells apart no further: without its number."""
    return _NUMBERED.sub("", name.strip()).casefold()


def _identifier(text: str | None) -> int | None:
    """Read a positive id; Discogs writes 0 for what has no page."""
    if text is None or not text.strip().isdecimal():
        return None
    number = int(text)
    return number if 0 < number <= _LARGEST_ID else None


def _texts(element: etree._Element, tag: str) -> tuple[str, ...]:
    texts = (child.text for child in element.iterchildren(tag))
    return tuple(text.strip() for text in texts if text and text.strip())


def _check_root(path: Path, kind: Kind) -> None:
    """Refuse another dump before its gigabytes are read."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; wanted discogs_YYYYMMDD_{kind}s.xml.gz")
    with _opened(path) as (file, _):
        _, root = next(etree.iterparse(file, events=("start",)))
        if root.tag != f"{kind}s":
            raise DataError(f"{path}: begins with <{root.tag}>; wanted Discogs' dump of {kind}s")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a plain or gzip file: its content, and the bytes on the disk, to tell how far it is."""
    with path.open("rb") as on_disk:
        is_gzip = on_disk.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        on_disk.seek(0)
        if not is_gzip:
            yield on_disk, on_disk
            return
        with gzip.GzipFile(fileobj=on_disk) as file:
            yield cast(IO[bytes], file), on_disk


class _Lists:
    """Lists of 32-bit numbers, appended one by one."""

    def __init__(self) -> None:
        self._offsets = array("q", [0])
        self._values = array("i")

    def append(self, values: list[int] | tuple[int, ...]) -> None:
        self._values.extend(values)
        self._offsets.append(len(self._values))

    def ragged(self) -> Ragged:
        values = np.array(self._values, np.int64)
        return Ragged(np.frombuffer(self._offsets, np.int64), values)
