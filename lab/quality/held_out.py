"""What is known of the tracks that a model is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.corpus.teacher import TAGGERS
from training.data.labels import Labels
from training.data.tracks import SPLITS, Tracks, family_of, read_tracks
from training.errors import DataError

TEACHER_FAMILIES = tuple(tagger.family for tagger in TAGGERS)


@dataclass(frozen=True)
class HeldOut:
    """Tracks with true labels and tracks that the teacher heard, split by split.

    Attributes
    ----------
    tracks : Tracks
    targets : float32 [tracks, classes]
        Weights of labels, 0, or NaN where nothing is known.
    splits, groups : str [tracks]
    true_columns, teacher_columns : int [classes of either kind]
        Classes with true labels, and the teacher's.
    labelled : int [tracks with true labels]
        Rows, of all splits.
    heard : int [tracks that the teacher heard, for all of its classes]
        Rows, of all splits.
    """

    tracks: Tracks
    targets: NDArray[np.float32]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]
    true_columns: NDArray[np.int64]
    teacher_columns: NDArray[np.int64]
    labelled: NDArray[np.int64]
    heard: NDArray[np.int64]

    @property
    def classes(self) -> tuple[str, ...]:
        """Of `targets`."""
        return self.tracks.classes

    @property
    def true_classes(self) -> list[str]:
        """Of `true_columns`."""
        return [self.classes[column] for column in self.true_columns]

    @property
    def teacher_classes(self) -> list[str]:
        """Of `teacher_columns`."""
        return [self.classes[column] for column in self.teacher_columns]

    @property
    def tested(self) -> NDArray[np.int64]:
        """Rows of the test split."""
        return np.flatnonzero(self.splits == "test")

    def of_split(self, rows: NDArray[np.int64], split: str) -> NDArray[np.int64]:
        """Choose the rows that are in a split."""
        chosen: NDArray[np.int64] = rows[self.splits[rows] == split]
        return chosen

    def columns_of(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """Say where among a model's labels each of our classes is.

        Raises
        ------
        DataError
            When the model lacks one.
        """
        missing = [name for name in self.classes if name not in labels]
        if missing:
            raise DataError(
                f"{len(missing)} of the tracks' {len(self.classes)} classes are none of the "
                f"model's {len(labels)}, for instance {missing[0]!r}; wanted all of them"
            )
        place = {label: number for number, label in enumerate(labels)}
        return np.array([place[name] for name in self.classes], np.int64)


def read_held_out(path: Path) -> HeldOut:
    """Read a tracks table for measuring.

    Parameters
    ----------
    path : Path
        A tracks table (Parquet).

    Raises
    ------
    DataError
        When it cannot be used, or a split has no tracks with true labels.
    """
    tracks = read_tracks(path)
    table = tracks.table
    labels = Labels(table["labels"], table["weights"], table["families"], tracks.classes)
    targets = np.stack([labels.targets(row) for row in range(len(tracks))])
    of_teacher = np.array([family_of(name) in TEACHER_FAMILIES for name in tracks.classes])
    known = ~np.isnan(targets)
    found = HeldOut(
        tracks,
        targets,
        splits=np.array(table["split"].to_pylist()),
        groups=np.array(table["group"].to_pylist()),
        true_columns=np.flatnonzero(~of_teacher),
        teacher_columns=np.flatnonzero(of_teacher),
        labelled=np.flatnonzero(known[:, ~of_teacher].any(1)),
        heard=np.flatnonzero(known[:, of_teacher].all(1) & of_teacher.any()),
    )
    for split in SPLITS:
        if not len(found.of_split(found.labelled, split)):
            raise DataError(
                f"{path}: no tracks of split {split} with labels other than the teacher's "
                f"({', '.join(TEACHER_FAMILIES)}); wanted some of each split"
            )
    return found
