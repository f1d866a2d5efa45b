"""The labels of many tracks as flat arrays, and a track's targets made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import DataError
from .ragged import Ragged
from .tracks import family_of


class LabelMatrix(NamedTuple):
    """Sparse tracks x classes; row i holds the places ``row_offsets[i] : row_offsets[i + 1]``.

    Attributes
    ----------
    row_offsets : numpy.ndarray, shape [tracks + 1], int64
    class_index : numpy.ndarray, shape [labels], int32
    weight : numpy.ndarray, shape [labels], float32
        Above 0, up to 1.
    """

    row_offsets: npt.NDArray[np.int64]
    class_index: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]


class Labels:
    """Labels of all tracks.

    Parameters
    ----------
    labels, weights, families : pyarrow.ChunkedArray
        The columns of the index.
    classes : tuple of str
        In class order.

    Raises
    ------
    DataError
        A label is none of the classes, or labels and weights differ in number.
    """

    def __init__(
        self,
        labels: pa.ChunkedArray,
        weights: pa.ChunkedArray,
        families: pa.ChunkedArray,
        classes: tuple[str, ...],
    ) -> None:
        names = [family_of(name) for name in classes]
        distinct = sorted(set(names))
        self._class_family = np.array([distinct.index(name) for name in names], np.int64)
        self._classes = _encode(labels, classes, "label")
        self._weights = np.asarray(pc.list_flatten(weights), np.float32)
        if len(self._weights) != len(self._classes.values):
            raise DataError(f"{len(self._classes.values)} labels, but {len(self._weights)} weights")
        self._families = _encode(families, tuple(distinct), "family")
        self._all_known = np.asarray(families.is_null())
        self.partly_annotated = not bool(self._all_known.all())
        """Whether some classes are unknown of some tracks."""

    def targets(self, index: int) -> npt.NDArray[np.float32]:
        """Return what a model should say of a track.

        Parameters
        ----------
        index : int

        Returns
        -------
        numpy.ndarray, shape [classes], float32
            The weight of each label, 0 for the other classes, NaN for those of families that are
            not annotated for this track.
        """
        if self._all_known[index]:
            targets = np.zeros(len(self._class_family), np.float32)
        else:
            known = np.isin(self._class_family, self._families.row(index))
            targets = np.where(known, np.float32(0), np.float32(np.nan))
        start, end = self._classes.offsets[index : index + 2]
        targets[self._classes.values[start:end]] = self._weights[start:end]
        return targets

    def matrix(self, indices: npt.NDArray[np.int64]) -> LabelMatrix:
        """Choose rows of the sparse matrix of labels.

        Parameters
        ----------
        indices : numpy.ndarray, shape [tracks], int64
        """
        chosen = self._classes.take(indices)
        weights = self._weights[self._classes.positions(indices)]
        return LabelMatrix(chosen.offsets, chosen.values.astype(np.int32), weights)


def _encode(lists: pa.ChunkedArray, names: tuple[str, ...], kind: str) -> Ragged:
    """Turn lists of names into lists of their numbers; a null list becomes an empty one."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
    flat = pc.list_flatten(lists)
    codes = pc.index_in(flat, pa.array(names, pa.string()))
    if codes.null_count:
        unknown = flat.filter(codes.is_null())[0].as_py()
        raise DataError(f"{kind} {unknown!r} is none of the {len(names)} that the classes have")
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    return Ragged(offsets, np.asarray(codes, np.int64))
