"""A part of the tables, made of packed rows, in whatever process."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..results.columns import Vectors, columns_of, is_vector
from ..results.parquet import Rows, encode_rows
from .packed_rows import unpacked
from .rows_memory import Stored, fetch
from .track_rows import TrackRows


@dataclasses.dataclass(frozen=True)
class PartToMake:
    """What a part holds besides the rows of its tracks.

    Attributes
    ----------
    ids : sequence of int
        Of the tracks.
    vectors : Vectors
        How lists are kept.
    told_with_tracks, told_with_segments : dict
        What the files' metadata tell.
    memory : int or None
        Descriptor of the `RowsMemory` in which some of the rows are.
    """

    ids: Sequence[int]
    vectors: Vectors
    told_with_tracks: dict[str, Any]
    told_with_segments: dict[str, Any]
    memory: int | None = None

    def __call__(self, packed: Sequence[bytes | Stored]) -> list[bytes]:
        """Make the files of tracks and of segments.

        Parameters
        ----------
        packed : sequence of bytes or Stored
            Of each track, what `PackedRows` holds.

        Returns
        -------
        list of bytes
            Two Parquet files.
        """
        tracks = [unpacked(fetch(self.memory, content)) for content in packed]
        for track, number in zip(tracks, self.ids, strict=True):
            track.values["id"] = number
        # One after the other, so that both need not be in memory as arrays.
        return [
            encode_rows("tracks", self._tracks(tracks), self.vectors),
            encode_rows("segments", self._segments(tracks), self.vectors),
        ]

    def _tracks(self, tracks: Sequence[TrackRows]) -> Rows:
        columns = columns_of("tracks", self.vectors)
        return Rows(
            {
                column.name: [track.values[column.name] for track in tracks]
                for column in columns
                if not is_vector(column)
            },
            {
                column.name: np.stack([track.vectors[column.name] for track in tracks])
                for column in columns
                if is_vector(column)
            },
            self.told_with_tracks,
        )

    def _segments(self, tracks: Sequence[TrackRows]) -> Rows:
        columns = [column for column in columns_of("segments", self.vectors) if is_vector(column)]
        values: dict[str, list[Any]] = {"track": [], "start": [], "seconds": []}
        for track in tracks:
            values["track"] += [track.values["id"]] * len(track.segments["start"])
            values["start"] += track.segments["start"]
            values["seconds"] += track.segments["seconds"]
        return Rows(
            values,
            {
                column.name: np.concatenate([one.segment_vectors[column.name] for one in tracks])
                for column in columns
            },
            self.told_with_segments,
        )
