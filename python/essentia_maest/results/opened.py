"""Results that are there, opened: tables for data frames, arrays for the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..library.ranks import RankedLabel, percentiles, percentiles_among, standing_out
from ..reading.families import families_of
from ..remote.urls import joined as joined_path
from .columns import Vectors
from .head_tables import HeadResults, heads_in
from .parquet import (
    column_values,
    column_vectors,
    joined,
    kinds_of,
    read_table,
    told_by,
    vectors_of,
)
from .parts import OneOrigin, Part, PartsFolder
from .path_text import path_of_text, path_text
from .places import place_of

if TYPE_CHECKING:
    from arro3.core import Table


@dataclass(frozen=True)
class SegmentPredictions:
    """Activations over time, of the tracks of one part.

    Attributes
    ----------
    tracks : numpy.ndarray
        int64, shape [segments]: `id` of the track; those of one track lie together, in time.
    starts : numpy.ndarray
        float64, shape [segments], s.
    predictions : numpy.ndarray
        float32, shape [segments, classes].
    """

    tracks: npt.NDArray[np.int64]
    starts: npt.NDArray[np.float64]
    predictions: npt.NDArray[np.float32]


class Results:
    """The tables that ``maest analyze`` wrote.

    Tables are read when they are first asked for, and kept.

    Parameters
    ----------
    folder : str or os.PathLike
        What ``-o`` named: a folder, or a URL.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        There are no tables.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = place_of(folder)
        self._parts = PartsFolder(self.folder)
        if not self._parts.files("tracks") and not self._parts.files("failures"):
            raise InvalidArgumentError(
                f"{path_text(self.folder)}: no tables found; wanted: a folder that "
                "`maest analyze -o` wrote, with tracks/part-*.parquet"
            )

    def __repr__(self) -> str:
        """Say where they are, and how many."""
        return f"<essentia_maest.Results {self.folder}: {self.tracks.num_rows} tracks>"

    @cached_property
    def tracks(self) -> Table:
        """Arrow table, a row for each track; see docs/results_tables.md."""
        return self._joined("tracks", [table for _, table in self._read])

    @cached_property
    def segments(self) -> Table:
        """Arrow table, a row for each segment, in the order of the tracks. 10 kB a row."""
        tables = [read_table(part.segments) for part, _ in self._read if part.segments.exists()]
        return self._joined("segments", tables)

    @cached_property
    def failures(self) -> Table:
        """Arrow table, a row for each file that came to nothing."""
        return self._joined(
            "failures", [read_table(path) for path in self._parts.files("failures")]
        )

    @cached_property
    def info(self) -> dict[str, Any]:
        """What computed the results: ``model``, ``options``, ``provenance``, ``versions``.

        Where parts were computed otherwise than others, it is that of the last one.
        """
        told = dict(told_by(self.tracks.schema) or told_by(self.failures.schema))
        told.pop("segments_file", None)
        return told

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the predictions."""
        return tuple(self.info.get("labels", ()))

    @cached_property
    def label_families(self) -> tuple[str, ...]:
        """What precedes ``---`` in the labels, where they answer several questions; or empty."""
        return families_in(self.tracks, self.labels)

    @cached_property
    def ids(self) -> npt.NDArray[np.int64]:
        """``id`` of the tracks, shape [tracks]."""
        return np.array(column_values(self.tracks, "id"), np.int64)

    @cached_property
    def files(self) -> list[str]:
        """Path of each track, as Python's functions take it: root and path together."""
        return self.files_below(None)

    def files_below(self, root: str | os.PathLike[str] | None) -> list[str]:
        """Give the path of each track where the music was moved since.

        Parameters
        ----------
        root : str, os.PathLike or None
            Where the folder that was analysed is now; None is where it was.

        Returns
        -------
        list of str
            In the order of `tracks`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            Several folders were analysed: which of them was moved is not known.
        """
        roots = [path_of_text(text) for text in column_values(self.tracks, "root")]
        paths = [path_of_text(text) for text in column_values(self.tracks, "path")]
        if root is not None:
            several = sorted(set(roots))
            if len(several) > 1:
                raise InvalidArgumentError(
                    f"{path_text(self.folder)}: tracks of {len(several)} folders found "
                    f"({', '.join(map(path_text, several[:3]))}{' ...' if several[3:] else ''}); "
                    "wanted for another root: those of one. `maest analyze --resume` on the "
                    "folders as they are now brings the tables up to date"
                )
            roots = [os.fsdecode(root)] * len(paths)
        return [joined_path(*parts) for parts in zip(roots, paths, strict=True)]

    def embeddings(
        self, *, as_kept: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """Give a vector for each track.

        Parameters
        ----------
        as_kept : bool
            Leave float16 as it is, where that is what the tables have: half the memory.

        Returns
        -------
        embeddings : numpy.ndarray
            float32, shape [tracks, values]: means over the segments.
        ids : numpy.ndarray
            int64, shape [tracks]: `id` of the tracks, in the order of `tracks`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            None were computed, or by several models.
        """
        values = self._vectors("embedding")
        return values if as_kept else np.asarray(values, np.float32), self.ids

    def predictions(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Give the activations for each track.

        Returns
        -------
        predictions : numpy.ndarray
            float32, shape [tracks, classes], as `labels` names them: means over the segments.
        ids : numpy.ndarray
            int64, shape [tracks], in the order of `tracks`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            None were computed, or by several models.
        """
        return self._vectors("predictions"), self.ids

    def segment_predictions(self) -> Iterator[SegmentPredictions]:
        """Give the activations of segments, part by part: `segments` may be more than memory holds.

        Yields
        ------
        SegmentPredictions
            Nothing where none were computed.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            A file is damaged.
        """
        for part, _ in self._read:
            if not part.segments.exists():
                continue
            table = read_table(part.segments)
            if "predictions" not in table.column_names:
                return
            yield SegmentPredictions(
                np.array(column_values(table, "track"), np.int64),
                np.array(column_values(table, "start"), np.float64),
                np.asarray(column_vectors(table, "predictions"), np.float32),
            )

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that were applied: ``maest analyze --head``, ``maest head apply``."""
        return heads_in(self.folder)

    def head(self, name: str) -> HeadResults:
        """Give what a head says of the tracks.

        Parameters
        ----------
        name : str
            One of `heads`.

        Returns
        -------
        HeadResults
            With ``labels``, ``predictions()`` in the order of `tracks`, and tables.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            There is nothing of it, or not of all tracks.
        """
        return HeadResults(self.folder, name)

    def ranks(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Rank every label of every track against the collection.

        Returns
        -------
        ranks : numpy.ndarray
            float32, shape [tracks, classes], percentiles from 0 to 100: how much of the collection
            has less of the label. 50 is the middle; see `essentia_maest.library.ranks`.
        ids : numpy.ndarray
            int64, shape [tracks], in the order of `tracks`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            As `predictions`.
        """
        return self._ranks, self.ids

    def standing_out(
        self, count: int = 5, rows: Sequence[int] | None = None
    ) -> list[list[RankedLabel]]:
        """Name what stands out about tracks: the labels that rank highest in the collection.

        Parameters
        ----------
        count : int
            How many labels of a track at the most. Labels with an activation under 0.1 are not
            named, so there may be fewer.
        rows : sequence of int, optional
            Of which tracks; all, if it is not given.

        Returns
        -------
        list of list of RankedLabel
            For each track its labels, the highest rank first.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            As `predictions`.
        """
        activations, labels = self._vectors("predictions"), self.labels
        if rows is None:
            every = zip(activations, self._ranks, strict=True)
            return [standing_out(values, ranks, labels, count) for values, ranks in every]
        some = activations[list(rows)]  # a few are not worth ranking all
        return [
            standing_out(values, percentiles_among(values, activations), labels, count)
            for values in some
        ]

    @cached_property
    def _ranks(self) -> npt.NDArray[np.float32]:
        return percentiles(self._vectors("predictions"))

    def _vectors(self, name: str) -> npt.NDArray[Any]:
        self._require_one_origin()
        if name not in self.tracks.column_names:
            raise InvalidArgumentError(
                f"{path_text(self.folder)}: no {name} found; they were not computed (--output)"
            )
        return column_vectors(self.tracks, name)

    def _require_one_origin(self) -> None:
        """Refuse vectors of several models, which cannot be compared."""
        origin = OneOrigin(self.folder)
        for part, _ in self._read:
            origin.check(part.told)

    @cached_property
    def _read(self) -> list[tuple[Part, Table]]:
        return list(self._parts.tables())

    def _joined(self, name: str, tables: list[Table]) -> Table:
        kinds = {str(kinds_of(table)) for table in tables}
        if len(kinds) > 1:
            self._require_one_origin()
            raise InvalidArgumentError(
                f"{path_text(self.folder)}: parts of {name} with different columns found: "
                f"{'; '.join(sorted(kinds))}. Wanted: one folder for each"
            )
        vectors = vectors_of({name: tables[-1].schema}) if tables else Vectors()
        return joined(tables, name, vectors)


def families_in(table: Table, labels: Sequence[str]) -> tuple[str, ...]:
    """Tell the families of labels, from what a table of tracks names by family; or nothing."""
    named = column_values(table, "top") if "top" in table.column_names else []
    first = next((entries[0] for entries in named if entries), None)
    return families_of(labels, "labels") if first and first["family"] is not None else ()


def open_results(folder: str | os.PathLike[str]) -> Results:
    """Open the tables that ``maest analyze -o FOLDER`` wrote.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder, or its URL, such as ``s3://bucket/results`` (extra ``remote``).

    Returns
    -------
    Results
        With ``tracks``, ``segments`` and ``failures`` as Arrow tables, which pandas, Polars and
        DuckDB take, ``embeddings()`` and ``predictions()`` as arrays, ``labels`` and ``info``.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        There are none.

    Examples
    --------
    >>> import essentia_maest as maest
    >>> results = maest.open_results("results")  # doctest: +SKIP
    >>> embeddings, ids = results.embeddings()  # doctest: +SKIP
    """
    return Results(folder)
