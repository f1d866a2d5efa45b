"""The folder of tables: parts that are whole, and which of them count.

What was analysed together is a part: a file of `tracks`, one of `segments`, perhaps one of
`failures`. The file of tracks names that of segments in its metadata and comes last: without it,
segments do not count. So a part is there or not, whenever a run is killed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError
from .columns import TABLES, Vectors
from .parquet import (
    Encode,
    Rows,
    TornFileError,
    encode_rows,
    read_table,
    rows_of,
    told_by,
    write_rows,
)
from .path_text import path_text
from .places import Content, make_folder, moves_by_copying, remove_scraps, write_file

if TYPE_CHECKING:
    from arro3.core import Table

_log = logging.getLogger(__name__)

_PATTERN = "part-*.parquet"
_SEGMENTS = "segments_file"


@dataclass(frozen=True)
class Part:
    """A part of the tables.

    Attributes
    ----------
    tracks : pathlib.Path
        Its file of tracks.
    told : dict
        What computed it, and how.
    """

    tracks: Path
    told: dict[str, Any]

    @property
    def segments(self) -> Path:
        """Its file of segments."""
        return self.tracks.parent.parent / "segments" / str(self.told.get(_SEGMENTS))


#: Of `options`, what has no bearing on embeddings and predictions.
_ONLY_TOLD = ("top_k", "output")


class OneOrigin:
    """Sees that parts were made by the same model in the same way: others cannot be compared.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results, for messages.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first: tuple[str, str] | None = None

    def check(self, told: dict[str, Any]) -> None:
        """Compare a part with the first one.

        Parameters
        ----------
        told : dict
            What it tells.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            Model, options, or labels are others.
        """
        model = told.get("model", {})
        options = {
            name: value for name, value in told.get("options", {}).items() if name not in _ONLY_TOLD
        }
        sha256 = str(model.get("sha256"))
        key = json.dumps([sha256, options, told.get("labels")], sort_keys=True)
        words = f"{model.get('name')} (sha256 {sha256[:12]}), {json.dumps(options)}"
        if self._first is None:
            self._first = key, words
        elif key != self._first[0]:
            raise InvalidArgumentError(
                f"{path_text(self._folder)}: results of several models or options found, whose "
                f"vectors cannot be compared: {self._first[1]}; {words}. Wanted: a folder for each"
            )


class PartsFolder:
    """Where the tables are.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results; nothing is made before something is written.
    encode : callable
        Makes files of rows.
    """

    def __init__(self, folder: Path, encode: Encode = encode_rows) -> None:
        self._encode = encode
        self.path = folder
        self._token = secrets.token_hex(3)  # runs that write side by side take different names
        self._number = 0
        self._torn: list[Path] = []

    def tables(self) -> Iterator[tuple[Part, Table]]:
        """Read the files of tracks, one after the other.

        Yields
        ------
        tuple
            The part, and its table.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            One is damaged.
        """
        for path in self.files("tracks"):
            if (table := self._whole(path)) is not None:
                yield Part(path, told_by(table.schema)), table

    def files(self, table: str) -> list[Path]:
        """List the files of a table, the earliest first."""
        found = (self.path / table).glob(_PATTERN)
        return sorted(found, key=lambda path: path.name)

    def write(
        self,
        tracks: Rows,
        segments: Rows,
        vectors: Vectors,
        replaced: Part | None = None,
    ) -> Part:
        """Write a part.

        Parameters
        ----------
        tracks, segments : Rows
            What is in it.
        vectors : Vectors
            How lists are kept.
        replaced : Part, optional
            In whose place it comes.

        Returns
        -------
        Part

        Raises
        ------
        OSError
            It could not be written. Nothing counts that did not before.
        """
        name = self._new_name()
        path = self._in("tracks", name) if replaced is None else replaced.tracks
        write_rows(self._in("segments", name), "segments", segments, vectors, self._encode)
        part = self.write_tracks(path, tracks, vectors, name)
        if replaced is not None:
            replaced.segments.unlink(missing_ok=True)
        return part

    def write_made(
        self,
        make: Callable[[dict[str, Any], dict[str, Any]], tuple[Content, Content]],
        told: dict[str, Any],
    ) -> None:
        """Write a part whose files are made elsewhere.

        Parameters
        ----------
        make : callable
            What the metadata of tracks tell, what those of segments tell -> both files.
        told : dict
            What computed the part, and how.

        Raises
        ------
        OSError
            It could not be written. Nothing counts that did not before.
        """
        name = self._new_name()
        tracks, segments = make({**told, _SEGMENTS: name}, told)
        write_file(self._in("segments", name), segments)
        write_file(self._in("tracks", name), tracks)

    def write_tracks(self, path: Path, tracks: Rows, vectors: Vectors, segments: str) -> Part:
        """Write a part's file of tracks, which names a file of segments that is there."""
        tracks.told = {**tracks.told, _SEGMENTS: segments}
        write_rows(path, "tracks", tracks, vectors, self._encode)
        return Part(path, tracks.told)

    def remove(self, part: Part) -> None:
        """Remove a part."""
        part.tracks.unlink()
        part.segments.unlink(missing_ok=True)

    def write_failures(self, failures: Rows, path: Path | None = None) -> None:
        """Write a file of failures, in the place of another or beside those that are there."""
        target = self._in("failures", self._new_name()) if path is None else path
        write_rows(target, "failures", failures, Vectors(), self._encode)

    def failures(self) -> Iterator[tuple[Path, Rows]]:
        """Read the files of failures, one after the other."""
        for path in self.files("failures"):
            if (table := self._whole(path)) is not None:
                yield path, rows_of(table, "failures")

    def remove_scraps(self, parts: list[Part]) -> None:
        """Remove what killed runs left: unfinished files, and segments that no tracks name.

        Parameters
        ----------
        parts : list of Part
            All that there are.
        """
        for folder in (self.path, *(self.path / table for table in TABLES)):
            remove_scraps(folder)  # beside the tables there is the summary
        named = {part.segments.name for part in parts}
        unnamed = [path for path in self.files("segments") if path.name not in named]
        for path in (*unnamed, *self._torn):
            with contextlib.suppress(OSError):
                path.unlink()
        self._torn.clear()

    def _whole(self, path: Path) -> Table | None:
        """Read a file; None if a killed run left it torn, as can be where moving is copying."""
        try:
            return read_table(path)
        except TornFileError as error:
            if not moves_by_copying(path):
                raise
            if path not in self._torn:
                self._torn.append(path)
                _log.warning("%s", error)
            return None

    def _in(self, table: str, name: str) -> Path:
        folder = self.path / table
        make_folder(folder)
        return folder / name

    def _new_name(self) -> str:
        if not self._number:
            names = [path.name for table in TABLES for path in self.files(table)]
            numbers = [name.split("-")[1].split(".")[0] for name in names]
            self._number = max((int(text) for text in numbers if text.isdigit()), default=0)
        self._number += 1
        return f"part-{self._number:05}-{self._token}.parquet"
