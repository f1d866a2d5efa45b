"""A data set for reading: any frames of any track, with its labels."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import DataError
from .description import INDEX, Description, read_description
from .index import SCHEMA
from .labels import LabelMatrix, Labels
from .outcomes import shard_path
from .places import opened, size_of, sizes_of
from .shards import Mel, Shard

_MOST_OPEN_SHARDS = 4096
# What every process needs; the other columns are read when they are asked for.
_NUMBERS = ("shard", "row", "frames", "labels", "weights", "families", "split")


class SpectrogramStore:
    """The spectrograms and labels of a data set.

    Parameters
    ----------
    folder : Path
        What `python -m training spectrograms` made; also the URL of a copy in object storage, which
        fsspec knows (``s3://bucket/set`` with the package s3fs).

    Attributes
    ----------
    folder : Path
    classes : tuple of str
        In class order.
    mean, std : float
        What segments are normalised by: over all mel values of the training split, or as
        `normalise_by` says.
    own_normalisation : tuple of float
        Mean and standard deviation over all mel values of the training split.
    frames : numpy.ndarray, shape [tracks], int32
        Stored frames of each track.

    Raises
    ------
    DataError
        The data set is missing, unfinished, of another version, or a part of it is missing or cut
        short (named).

    Notes
    -----
    The index is held as arrays, never as one object per track. Pickling sends the folder only: a
    worker process opens the index and the shards it needs by itself.
    """

    def __init__(self, folder: Path) -> None:
        self._normalisation: tuple[float, float] | None = None
        self._open(Path(folder), read_description(Path(folder)))

    def _open(self, folder: Path, description: Description) -> None:
        self.folder = folder
        self._description = description
        self.classes = tuple(description.classes)
        self.own_normalisation = float(description.mean), float(description.std)
        self.mean, self.std = self._normalisation or self.own_normalisation
        _check_shards(folder, description.shard_bytes)
        columns = _read_index(folder, description, _NUMBERS)
        self._shard = np.asarray(columns["shard"], np.int32)
        self._row = np.asarray(columns["row"], np.int32)
        self.frames: npt.NDArray[np.int32] = np.asarray(columns["frames"], np.int32)
        if len(self) and not 0 <= self._shard.min() <= self._shard.max() < len(
            description.shard_bytes
        ):
            raise DataError(
                f"{folder / INDEX}: names shards {self._shard.min()} to {self._shard.max()}; the "
                f"data set has {len(description.shard_bytes)}"
            )
        self._split = columns["split"].combine_chunks().dictionary_encode()
        try:
            self._labels = Labels(
                columns["labels"], columns["weights"], columns["families"], self.classes
            )
        except DataError as error:
            raise DataError(f"{folder / INDEX}: {error}") from error
        # Half of the memory is what reading Parquet needed, kept for a next time.
        del columns
        pa.default_memory_pool().release_unused()
        self._open_shard = _shard_opener(folder)
        self._texts: dict[str, pa.ChunkedArray] = {}

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self._row)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "folder": self.folder,
            "description": self._description,
            "normalisation": self._normalisation,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        description = read_description(state["folder"])
        if description != state["description"]:
            raise DataError(f"{state['folder']}: the data set was changed while it was in use")
        self._normalisation = state["normalisation"]
        self._open(state["folder"], description)

    def normalise_by(self, normalisation: tuple[float, float]) -> None:
        """Normalise by this mean and standard deviation from now on."""
        self._normalisation = normalisation
        self.mean, self.std = normalisation

    @property
    def partly_annotated(self) -> bool:
        """Whether some classes are unknown of some tracks."""
        return self._labels.partly_annotated

    def ids(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """Return the ids of tracks."""
        chosen = pa.array(np.asarray(indices, np.int64))
        return [str(name) for name in self._text("id").take(chosen).to_pylist()]

    def path(self, index: int) -> Path:
        """Return the audio file of a track."""
        self._check(index)
        return Path(self._description.audio_folder, self._text("path")[int(index)].as_py())

    def indices(self, split: str) -> npt.NDArray[np.int64]:
        """Return the tracks of a split, in the order of the tracks table.

        Parameters
        ----------
        split : {"train", "validation", "test"}

        Returns
        -------
        numpy.ndarray, shape [tracks of the split], int64
        """
        if split not in self._description.splits:
            wanted = ", ".join(self._description.splits)
            raise DataError(f"{self.folder}: no split {split!r}; wanted one of {wanted}")
        names = self._split.dictionary.to_pylist()
        code = names.index(split) if split in names else -1
        return np.flatnonzero(np.asarray(self._split.indices) == code).astype(np.int64)

    def read(self, index: int, start: int = 0, frames: int | None = None) -> Mel:
        """Read frames of a track.

        Parameters
        ----------
        index : int
        start : int
            First frame.
        frames : int, optional
            How many; all that follow if not given.

        Returns
        -------
        numpy.ndarray, shape [frames, 96], float16
            ``log10(1 + 10000 x)``, not normalised: a read-only view of the memory map.

        Raises
        ------
        DataError
            The frames are not there, or the shard is damaged (named).
        """
        self._check(index)
        shard = self._open_shard(int(self._shard[index]))
        return shard.read(int(self._row[index]), start, frames)

    def targets(self, index: int) -> npt.NDArray[np.float32]:
        """Return what a model should say of a track.

        Returns
        -------
        numpy.ndarray, shape [classes], float32
            The weight of each label, 0 for the other classes, NaN for those of families that are
            not annotated for this track.
        """
        self._check(index)
        return self._labels.targets(index)

    def label_matrix(self, indices: npt.NDArray[np.int64]) -> LabelMatrix:
        """Return the labels of tracks as a sparse matrix: row offsets, classes, weights."""
        return self._labels.matrix(np.asarray(indices, np.int64))

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.folder}: track {index} of {len(self)}")

    def _text(self, column: str) -> pa.ChunkedArray:
        if column not in self._texts:
            read = _read_index(self.folder, self._description, (column,))
            self._texts[column] = read[column]
        return self._texts[column]


def _shard_opener(folder: Path) -> Callable[[int], Shard]:
    """Keep the shards used last open: each costs a file descriptor, and 1.3 TB have thousands."""
    most = _MOST_OPEN_SHARDS
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed != resource.RLIM_INFINITY:
        most = max(8, min(most, allowed // 4))
    # By process: what was opened before a fork must not be read after it.
    shards = lru_cache(maxsize=most)(lambda _process, number: Shard(shard_path(folder, number)))
    return lambda number: shards(os.getpid(), number)


def _check_shards(folder: Path, sizes: list[int]) -> None:
    paths = [shard_path(folder, number) for number in range(len(sizes))]
    for path, size, found in zip(paths, sizes, sizes_of(paths), strict=True):
        if isinstance(found, OSError):
            raise DataError(f"{path}: cannot be opened ({found.strerror or found})") from found
        if found != size:
            kind = "cut short" if found < size else "not the shard of this data set"
            raise DataError(
                f"{path}: {kind}: {found} bytes, wanted {size}; delete it and run "
                "`python -m training spectrograms` again"
            )


def _read_index(folder: Path, description: Description, columns: tuple[str, ...]) -> pa.Table:
    path = folder / INDEX
    try:
        if (size := size_of(path)) != description.index_bytes:
            raise DataError(
                f"{path}: {size} bytes, wanted {description.index_bytes}; run "
                "`python -m training spectrograms` again"
            )
        with opened(path) as source, pq.ParquetFile(source) as file:
            if file.schema_arrow != SCHEMA:
                raise DataError(f"{path}: columns {file.schema_arrow.names}, wanted {SCHEMA.names}")
            table = file.read(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if table.num_rows != description.tracks:
        raise DataError(f"{path}: {table.num_rows} tracks, wanted {description.tracks}")
    return table
