"""What heads say of the tracks, in tables beside the others.

A head's predictions follow from embeddings that are in the tables, so they are parts of their own:
``heads/NAME/tracks`` and ``heads/NAME/segments`` have a file for each part of the others, made of
it, whenever somebody asks for it. No track is analysed again for another head.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from .columns import Vectors
from .parquet import Rows, column_vectors, joined, read_table, told_by, vectors_of, write_rows
from .parts import Part, PartsFolder
from .path_text import path_text
from .places import make_folder, remove_scraps

if TYPE_CHECKING:
    from arro3.core import Table

_HEADS = "heads"
_PATTERN = "part-*.parquet"
_OF = "part_of"


class HeadFolder:
    """Where a head's tables are.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.
    name : str
        Of the head: that of its file, without ``.onnx``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / _HEADS / name
        self._parts = PartsFolder(folder)

    def is_done(self, part: Part, sha256: str) -> bool:
        """Tell whether a part's predictions are there, and those of this very head."""
        try:
            told = told_by(read_table(self._tracks_of(part)).schema)
        except (OSError, InvalidArgumentError):
            return False
        return (
            told.get(_OF) == part.segments.name
            and told.get("head", {}).get("sha256") == sha256
            and (self.path / "segments" / part.segments.name).exists()
        )

    def write(self, part: Part, tracks: Rows, segments: Rows) -> None:
        """Write the predictions of a part; they count when all of them are there.

        Raises
        ------
        OSError
            They could not be written.
        """
        vectors = Vectors(predictions=tracks.vectors["predictions"].shape[1])
        for rows, kind, path in (
            (segments, "segments", self.path / "segments" / part.segments.name),
            (tracks, "tracks", self._tracks_of(part)),
        ):
            make_folder(path.parent)
            rows.told = {**rows.told, _OF: part.segments.name}
            write_rows(path, f"heads/NAME/{kind}", rows, vectors)

    def remove_scraps(self) -> None:
        """Remove what was made of parts that are not there any more."""
        parts = [part for part, _ in self._parts.tables()]
        kept = {part.tracks.name for part in parts}, {part.segments.name for part in parts}
        for kind, names in zip(("tracks", "segments"), kept, strict=True):
            remove_scraps(self.path / kind)
            for path in (self.path / kind).glob(_PATTERN):
                if path.name not in names:
                    path.unlink(missing_ok=True)

    def tables(self, kind: str) -> list[Table]:
        """Read ``"tracks"`` or ``"segments"``, in the order of the other tables.

        Raises
        ------
        InvalidArgumentError
            A part lacks predictions: the head was not applied to it, or it was written anew since.
        """
        tables = []
        for part, _ in self._parts.tables():
            table = self._table_of(part)
            if table is None:
                raise InvalidArgumentError(
                    f"{path_text(self.path)}: lacks predictions of tracks that were analysed "
                    "since; wanted: `maest head apply`"
                )
            named = self.path / "segments" / part.segments.name
            tables.append(table if kind == "tracks" else read_table(named))
        return tables

    def is_complete(self) -> bool:
        """Tell whether predictions of all tracks are there."""
        return all(self._table_of(part) is not None for part, _ in self._parts.tables())

    def _table_of(self, part: Part) -> Table | None:
        """Read the predictions of a part's tracks; None if there are none, or of what it was."""
        place = self._tracks_of(part)
        table = read_table(place) if place.exists() else None
        current = table is not None and told_by(table.schema).get(_OF) == part.segments.name
        return table if current else None

    def _tracks_of(self, part: Part) -> Path:
        return self.path / "tracks" / part.tracks.name


class HeadResults:
    """What a head says of the tracks of `Results`, in their order.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.
    name : str
        Of the head: one of `Results.heads`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        There are none, or not of all tracks.
    """

    def __init__(self, folder: Path, name: str) -> None:
        if name not in heads_in(folder):
            found = ", ".join(heads_in(folder)) or "none"
            raise InvalidArgumentError(
                f"{path_text(folder)}: has no predictions of a head {name!r}; found {found}"
            )
        self.name = name
        self._folder = HeadFolder(folder, name)

    @property
    def is_complete(self) -> bool:
        """Whether all tracks have predictions; some were analysed since if not."""
        return self._folder.is_complete()

    @cached_property
    def tracks(self) -> Table:
        """Arrow table, a row for each track; see docs/results_tables.md."""
        return self._joined("tracks")

    @cached_property
    def segments(self) -> Table:
        """Arrow table, a row for each segment."""
        return self._joined("segments")

    @property
    def info(self) -> dict[str, Any]:
        """What computed them: ``head`` (name, sha256, kind) and ``labels``."""
        return told_by(self.tracks.schema)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the predictions."""
        return tuple(self.info.get("labels", ()))

    def predictions(self) -> npt.NDArray[np.float32]:
        """Give the activations for each track.

        Returns
        -------
        numpy.ndarray
            float32, shape [tracks, classes], in the order of `Results.tracks`.
        """
        return np.asarray(column_vectors(self.tracks, "predictions"), np.float32)

    def _joined(self, kind: str) -> Table:
        tables = self._folder.tables(kind)
        vectors = vectors_of({kind: tables[-1].schema}) if tables else Vectors()
        return joined(tables, f"heads/NAME/{kind}", vectors)


def heads_in(folder: Path) -> tuple[str, ...]:
    """Name the heads whose predictions are in a folder of results."""
    return tuple(
        sorted(
            entry.name
            for entry in (folder / _HEADS).glob("*")
            if next((entry / "tracks").glob(_PATTERN), None) is not None
        )
    )
