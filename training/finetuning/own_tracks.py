"""One's own tracks, in a table or a folder for each class, to a tracks table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from essentia_maest.collection.scan import scan
from essentia_maest.files import written_whole
from training.data.report import Report
from training.data.table import make_table
from training.data.tracks import read_tracks
from training.errors import DataError

if TYPE_CHECKING:
    from training.data.store import SpectrogramStore

SHORTEST_SECONDS = 3.0
COLLECTION, TRACKS = "collection.csv", "tracks.parquet"


def make_own_table(
    labels: Path, work: Path, *, validation_share: float, test_share: float, seed: int
) -> Report:
    """Make the tracks table of a fine-tuning: ``WORK/tracks.parquet``.

    Parameters
    ----------
    labels : Path
        What `training.data.table.make_table` takes, or a folder with a folder for each class: its
        audio files, at any depth. Files of one folder below a class's (an artist, an album) are
        kept in one split.
    work : Path
        Where the table goes.
    validation_share, test_share : float
        Of the tracks, where the table has no column `split`.
    seed : int

    Raises
    ------
    DataError
        There is no such table or folder, or nothing usable in it.
    """
    if labels.is_dir():
        labels = write_folder_table(labels, work / COLLECTION)
    return make_table(
        labels,
        work / TRACKS,
        shortest_seconds=SHORTEST_SECONDS,
        validation_share=validation_share,
        test_share=test_share,
        seed=seed,
    )


def write_folder_table(folder: Path, table: Path) -> Path:
    """Write a table of the audio files in a folder of classes; gives its path.

    Raises
    ------
    DataError
        A class has no audio file, or there are fewer than two.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    if len(classes) < 2:
        raise DataError(
            f"{folder}: {len(classes)} folders in it; wanted a folder of audio files for each of "
            "two classes or more, or a table (.csv, .tsv or .parquet)"
        )
    table.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(table) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "tags", "group"))
        for path in classes:
            tracks = [Path(track.path) for track in scan([path]).tracks]
            if not tracks:
                raise DataError(f"{path}: a class without an audio file")
            for track in tracks:
                writer.writerow((track, _class_name(path), _group(track, path)))
    return table


def _class_name(folder: Path) -> str:
    # Both separate tags in a table.
    if {";", "|"} & set(folder.name):
        raise DataError(f"{folder}: the name of a class has no ';' and no '|'")
    return folder.name


def _group(track: Path, folder: Path) -> str:
    """Name what stays in one split: the first folder below the class's, else the track itself."""
    below = track.relative_to(folder.absolute()).parts
    return f"{folder.name}/{below[0]}"


def groups_of_tracks(store: SpectrogramStore, tracks: Path) -> NDArray[np.int64]:
    """Give the group of each track of a data set, as a number, [tracks]."""
    table = read_tracks(tracks).table
    group_of = dict(zip(table["id"].to_pylist(), table["group"].to_pylist(), strict=True))
    names = store.ids(np.arange(len(store), dtype=np.int64))
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(group_of[name], len(numbers)) for name in names], np.int64)
