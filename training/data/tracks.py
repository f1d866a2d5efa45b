"""The tracks table: one row per track, with its audio, labels, group and split."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from essentia_maest.files import written_whole
from training.data.ragged import Ragged
from training.errors import DataError

SPLITS = ("train", "validation", "test")
CLASSES_KEY = b"maest.classes"
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "path": pa.string(),
        "labels": pa.list_(pa.string()),
        "weights": pa.list_(pa.float32()),
        "families": pa.list_(pa.string()),
        "group": pa.string(),
        "split": pa.string(),
    }
)


@dataclass(frozen=True)
class Tracks:
    """Tracks, and the classes that their labels come from.

    Parameters
    ----------
    table : pyarrow.Table
        Columns and types of `SCHEMA`: unique `id`; `path` of the audio file; `labels`, all of
        them classes, at least one unless there are `families`; `weights`, one for each label,
        above 0 and up to 1; `families`, null where every class is annotated, otherwise only the
        classes of these families (the text before ``---``) are known for the track; `group`, what
        must not be shared between splits (the artist); `split`, one of `SPLITS`.
    classes : tuple of str
        In class order.
    folder : Path
        Where relative paths start.
    """

    table: pa.Table
    classes: tuple[str, ...]
    folder: Path

    def __len__(self) -> int:
        return int(self.table.num_rows)


def family_of(name: str) -> str:
    """Family of a class: the text before ``---``; a class without it is its own family."""
    return name.split("---", 1)[0]


def make_tracks(
    *,
    ids: pa.ChunkedArray,
    paths: pa.ChunkedArray,
    labels: Ragged,
    weights: NDArray[np.float32] | None,
    families: pa.ChunkedArray | None,
    group: pa.ChunkedArray,
    split: NDArray[np.integer],
    classes: tuple[str, ...],
    folder: Path,
) -> Tracks:
    """Put columns together to a tracks table.

    Parameters
    ----------
    ids, paths, group : Arrow strings [tracks]
    labels : Ragged [tracks]
        Class indices.
    weights : float32 [labels], optional
        None: 1 for every label.
    families : Arrow lists of strings [tracks], optional
        None: null for every track.
    split : integers [tracks]
        Index into `SPLITS`.
    classes : tuple of str
    folder : Path
    """
    if weights is None:
        weights = np.ones(len(labels.values), np.float32)
    offsets = pa.array(labels.offsets, pa.int32())
    names = pa.array(classes, pa.string()).take(pa.array(labels.values))
    columns = {
        "id": ids,
        "path": paths,
        "labels": pa.ListArray.from_arrays(offsets, names),
        "weights": pa.ListArray.from_arrays(offsets, pa.array(weights, pa.float32())),
        "families": pa.nulls(len(ids), SCHEMA.field("families").type)
        if families is None
        else families,
        "group": group,
        "split": pa.array(SPLITS).take(pa.array(split)),
    }
    return Tracks(pa.table(columns, schema=SCHEMA), classes, folder)


def read_tracks(path: Path | str) -> Tracks:
    """Read a tracks table and check all of it.

    Parameters
    ----------
    path : path
        A Parquet file written by `write_tracks`.

    Raises
    ------
    DataError
        When the file is missing, is no tracks table, or breaks a rule of `Tracks`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; wanted a tracks table (.parquet)")
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from None
    metadata = (table.schema.metadata or {}).get(CLASSES_KEY)
    if metadata is None:
        raise DataError(
            f"{path}: no class names (metadata key {CLASSES_KEY.decode()}); wanted a tracks table "
            "as `python -m training` makes it"
        )
    try:
        classes = json.loads(metadata)
    except ValueError:
        classes = None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"{path}: metadata {CLASSES_KEY.decode()} is not a JSON list of names")
    tracks = Tracks(table.replace_schema_metadata(None), tuple(classes), path.absolute().parent)
    check_tracks(tracks, str(path))
    return tracks


def write_tracks(tracks: Tracks, path: Path | str) -> None:
    """Check a tracks table and write it; an interrupted run leaves no half file under `path`.

    Relative audio paths are made absolute when `path` lies outside `tracks.folder`.

    Raises
    ------
    DataError
        When the table breaks a rule of `Tracks` (nothing is written).
    """
    path = Path(path)
    check_tracks(tracks, str(path))
    table = tracks.table
    if path.absolute().parent.resolve() != tracks.folder.absolute().resolve():
        table = _with_absolute_paths(table, tracks.folder.absolute())
    metadata = {CLASSES_KEY: json.dumps(list(tracks.classes), ensure_ascii=False).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as place:
        pq.write_table(table.replace_schema_metadata(metadata), place, compression="zstd")


def check_tracks(tracks: Tracks, name: str) -> None:
    """Check every rule of `Tracks`.

    Parameters
    ----------
    tracks : Tracks
    name : str
        What messages call the table.

    Raises
    ------
    DataError
        With the first row that breaks a rule.
    """
    table, classes = tracks.table, tracks.classes
    if not table.schema.equals(SCHEMA, check_metadata=False):
        raise DataError(
            f"{name}: columns are\n{table.schema.to_string(show_schema_metadata=False)}\n"
            f"wanted\n{SCHEMA.to_string()}"
        )
    if not classes or len(set(classes)) != len(classes) or "" in classes:
        raise DataError(f"{name}: class names must be unique and not empty; found {classes!r:.300}")
    if table.num_rows == 0:
        raise DataError(f"{name}: no tracks")
    for column in ("id", "path", "group", "split"):
        _refuse(name, table, pc.equal(pc.fill_null(table[column], ""), ""), f"{column} is empty")
    _check_unique_ids(name, table)
    splits = pc.is_in(table["split"], pa.array(SPLITS))
    _refuse(name, table, pc.invert(splits), f"split is none of {', '.join(SPLITS)}")
    _check_lists(name, table, classes)


def _check_unique_ids(name: str, table: pa.Table) -> None:
    if pc.count_distinct(table["id"]).as_py() == table.num_rows:
        return
    counted = pc.value_counts(table["id"])
    repeated = counted.filter(pc.greater(counted.field("counts"), 1))
    first = repeated[0].as_py()
    raise DataError(
        f"{name}: {len(repeated)} ids are used more than once, for instance {first['values']!r} "
        f"({first['counts']} times); wanted unique ids"
    )


def _check_lists(name: str, table: pa.Table, classes: tuple[str, ...]) -> None:
    families = pc.fill_null(pc.list_value_length(table["families"]), 0)
    for column in ("labels", "weights"):
        lengths = pc.list_value_length(table[column])
        empty = pc.and_(pc.equal(lengths, 0), pc.equal(families, 0))
        _refuse(name, table, pc.fill_null(empty, True), f"{column} is empty")
    same = pc.equal(pc.list_value_length(table["labels"]), pc.list_value_length(table["weights"]))
    _refuse(name, table, pc.invert(same), "labels and weights differ in length")

    codes = pc.index_in(pc.list_flatten(table["labels"]), pa.array(classes))
    parents = _parents(table["labels"])
    _refuse_values(name, table, parents, pc.is_null(codes), "a label is not a class")
    keys = parents * len(classes) + np.asarray(codes)
    if len(np.unique(keys)) != len(keys):
        ordered = np.sort(keys)
        row = int(ordered[1:][ordered[1:] == ordered[:-1]][0]) // len(classes)
        raise DataError(f"{name}: row {row + 1} (id {table['id'][row]}): a label appears twice")

    weights = pc.list_flatten(table["weights"])
    inside = pc.and_(pc.greater(weights, 0.0), pc.less_equal(weights, 1.0))
    outside = pc.invert(pc.fill_null(inside, False))
    parents = _parents(table["weights"])
    _refuse_values(name, table, parents, outside, "a weight is not above 0 and up to 1")

    families = pa.array(sorted({family_of(label) for label in classes}))
    unknown = pc.is_null(pc.index_in(pc.list_flatten(table["families"]), families))
    parents = _parents(table["families"])
    _refuse_values(name, table, parents, unknown, "a family is that of no class")


def _refuse(name: str, table: pa.Table, bad: pa.ChunkedArray, reason: str) -> None:
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        row = int(rows[0])
        raise DataError(
            f"{name}: {reason} in {len(rows)} rows, first row {row + 1} "
            f"(id {table['id'][row].as_py()!r})"
        )


def _parents(lists: pa.ChunkedArray) -> NDArray[np.int64]:
    """Row of each value of a column of lists."""
    lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0))
    return np.repeat(np.arange(len(lists), dtype=np.int64), lengths)


def _refuse_values(
    name: str, table: pa.Table, parents: NDArray[np.int64], bad: pa.ChunkedArray, reason: str
) -> None:
    rows = np.zeros(table.num_rows, bool)
    rows[parents[np.asarray(bad)]] = True
    _refuse(name, table, pa.chunked_array([pa.array(rows)]), reason)


def _with_absolute_paths(table: pa.Table, folder: Path) -> pa.Table:
    relative = pc.invert(pc.starts_with(table["path"], "/"))
    start = pa.scalar(str(folder).rstrip("/") + "/")
    paths = pc.if_else(
        relative, pc.binary_join_element_wise(start, table["path"], ""), table["path"]
    )
    return table.set_column(table.schema.get_field_index("path"), "path", paths)
