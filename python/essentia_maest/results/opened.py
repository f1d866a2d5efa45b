"""Results that are there, opened: tables for data frames, arrays for the rest."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..remote.urls import joined as joined_path
from .columns import Vectors
from .parquet import column_values, column_vectors, joined, read_table, told_by, vectors_of
from .parts import Part, PartsFolder
from .path_text import path_of_text, path_text
from .places import place_of

if TYPE_CHECKING:
    from arro3.core import Table


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
                f"{path_text(str(self.folder))}: no tables found; wanted: a folder that "
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
    def ids(self) -> npt.NDArray[np.int64]:
        """``id`` of the tracks, shape [tracks]."""
        return np.array(column_values(self.tracks, "id"), np.int64)

    @cached_property
    def files(self) -> list[str]:
        """Path of each track, as Python's functions take it: root and path together."""
        roots, paths = (column_values(self.tracks, name) for name in ("root", "path"))
        return [
            joined_path(path_of_text(root), path_of_text(path))
            for root, path in zip(roots, paths, strict=True)
        ]

    def embeddings(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Give a vector for each track.

        Returns
        -------
        embeddings : numpy.ndarray
            float32, shape [tracks, values]: means over the segments.
        ids : numpy.ndarray
            int64, shape [tracks]: `id` of the tracks, in the order of `tracks`.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            None were computed.
        """
        return self._vectors("embedding"), self.ids

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
            None were computed.
        """
        return self._vectors("predictions"), self.ids

    def _vectors(self, name: str) -> npt.NDArray[np.float32]:
        if name not in self.tracks.column_names:
            raise InvalidArgumentError(
                f"{path_text(str(self.folder))}: no {name} found; they were not computed (--output)"
            )
        return np.asarray(column_vectors(self.tracks, name), np.float32)

    @cached_property
    def _read(self) -> list[tuple[Part, Table]]:
        return list(self._parts.tables())

    def _joined(self, name: str, tables: list[Table]) -> Table:
        vectors = vectors_of({name: tables[-1].schema}) if tables else Vectors()
        return joined(tables, name, vectors)


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
