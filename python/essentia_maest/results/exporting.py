"""Tables in other forms: sheets, lines of JSON, a vector store. One part is in memory at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import InvalidArgumentError
from .columns import Vectors, columns_of
from .parquet import Array, Rows, kinds_of, read_table, rows_of, told_by
from .parts import OneOrigin, PartsFolder
from .path_text import path_text

if TYPE_CHECKING:
    from arro3.core import Table

LABELS_TABLE = "labels"
"""In a vector store: the names of the classes."""

_DIGITS = 4


def tables_of(folder: Path, table: str) -> Iterator[Table]:
    """Read a table part by part.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.
    table : str
        A name of `TABLES`.

    Returns
    -------
    iterator of arro3.core.Table
        All with the same columns.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        There are none, or, while they are read, they do not go together.
    """
    parts = PartsFolder(folder)
    if not parts.files("tracks") and not parts.files("failures"):
        raise InvalidArgumentError(
            f"{path_text(folder)}: no tables found; wanted: a folder that `maest analyze -o` wrote"
        )
    return _checked(parts, table)


def _checked(parts: PartsFolder, table: str) -> Iterator[Table]:
    origin, columns = OneOrigin(parts.path), None
    for found in _tables(parts, table):
        if table != "failures":
            origin.check(told_by(found.schema))
        kinds = kinds_of(found)
        if columns not in (None, kinds):
            raise InvalidArgumentError(
                f"{path_text(parts.path)}: parts of {table} with different columns found: "
                f"{columns} and {kinds}; wanted: a folder for each"
            )
        columns = kinds
        yield found


def _tables(parts: PartsFolder, table: str) -> Iterator[Table]:
    if table == "failures":
        yield from map(read_table, parts.files(table))
        return
    for part, tracks in parts.tables():
        if table == "tracks":
            yield tracks
        elif part.segments.exists():
            yield read_table(part.segments)


@dataclass(frozen=True)
class Beside:
    """Columns of a sheet that are not of its table.

    Attributes
    ----------
    heads : list of str
        Their names.
    values : numpy.ndarray
        Shape [rows, columns], in the order of the rows.
    """

    heads: list[str]
    values: Array


def write_sheet(
    tables: Iterator[Table],
    table: str,
    file: IO[str],
    embeddings: bool,
    beside: Beside | None = None,
) -> int:
    """Write a table as a sheet (CSV).

    Parameters
    ----------
    tables : iterator of arro3.core.Table
        As `tables_of` gives them.
    table : str
        Which.
    file : text file
        Opened with ``newline=""``.
    embeddings : bool
        Whether they are columns, too: ``embedding_0`` and so on.
    beside : Beside, optional
        Further columns, numbers.

    Returns
    -------
    int
        Rows. `top` is text, such as ``Genre---Rock 0.91; Metre---triple 0.55``; each label has a
        column with its activation.
    """
    writer = csv.writer(file)
    count, begun = 0, False
    for found in tables:
        rows = rows_of(found, table)
        if not begun:
            writer.writerow(_heads(rows, embeddings) + (beside.heads if beside else []))
            begun = True
        columns: list[Any] = [_spelled(values) for values in rows.values.values()]
        if "predictions" in rows.vectors:
            columns += _rounded(rows.vectors["predictions"])
        if embeddings and "embedding" in rows.vectors:
            columns += [_texts(values) for values in rows.vectors["embedding"].T]
        if beside is not None:
            columns += _rounded(beside.values[count : count + len(rows)])
        writer.writerows(zip(*columns, strict=True))
        count += len(rows)
    if not begun:
        writer.writerow([column.name for column in columns_of(table, Vectors())])
    return count


def write_lines(tables: Iterator[Table], table: str, file: IO[str]) -> int:
    """Write a table as lines of JSON, one for each row.

    Parameters
    ----------
    tables, table
        See `write_sheet`.
    file : text file
        For the lines.

    Returns
    -------
    int
        Rows. Columns are as in the table, but ``predictions`` names its labels:
        ``{"Genre---jazz": 0.37, ...}``. What is not finite is null.
    """
    count = 0
    for found in tables:
        rows = rows_of(found, table)
        names = [json.dumps(label, ensure_ascii=False) for label in rows.told.get("labels", ())]
        for place in range(len(rows)):
            plain = {name: values[place] for name, values in rows.values.items()}
            text = json.dumps(plain, ensure_ascii=False)[:-1]
            for name, vectors in rows.vectors.items():
                values = [_json_number(value) for value in _texts(vectors[place])]
                if name == "predictions":
                    pairs = zip(names, values, strict=True)
                    inside = "{" + ", ".join(f"{label}: {value}" for label, value in pairs) + "}"
                else:
                    inside = "[" + ", ".join(values) + "]"
                text += f', "{name}": {inside}'
            file.write(text + "}\n")
        count += len(rows)
    return count


def write_store(tables: Iterator[Table], table: str, folder: Path) -> int:
    """Write a table into a LanceDB database, with a table of the labels' names.

    Parameters
    ----------
    tables, table
        See `write_sheet`.
    folder : pathlib.Path
        Of the database; made where it is not there.

    Returns
    -------
    int
        Rows. Columns are as in the table; the schema's metadata are, too.

    Raises
    ------
    ImportError
        LanceDB is not installed.
    essentia_maest.errors.InvalidArgumentError
        The database has a table of that name.
    """
    try:
        import lancedb
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "exporting to LanceDB needs the package lancedb: pip install 'essentia-maest[lancedb]'"
        ) from error
    database = lancedb.connect(folder)
    if table in _names(database):
        raise InvalidArgumentError(
            f"{path_text(folder)}: has a table '{table}' already; wanted: another -o"
        )
    first = next(tables, None)
    if first is None:
        raise InvalidArgumentError(f"no rows of {table} found; wanted: one or more")
    schema = pyarrow.schema(first.schema)

    def batches() -> Iterator[Any]:
        for found in (first, *tables):
            yield from pyarrow.table(found).cast(schema).to_batches()

    reader = pyarrow.RecordBatchReader.from_batches(schema, batches())
    try:
        written = database.create_table(table, reader)
        labels = told_by(first.schema).get("labels", [])
        if labels and LABELS_TABLE not in _names(database):
            numbers = list(range(len(labels)))
            database.create_table(LABELS_TABLE, pyarrow.table({"class": numbers, "label": labels}))
    except BaseException:
        if table in _names(database):
            database.drop_table(table)
        raise
    return int(written.count_rows())


def _names(database: Any) -> set[str]:
    return set(database.list_tables().tables)


def _heads(rows: Rows, embeddings: bool) -> list[str]:
    heads = list(rows.values)
    if "predictions" in rows.vectors:
        heads += rows.told["labels"]
    if embeddings and "embedding" in rows.vectors:
        heads += [f"embedding_{number}" for number in range(rows.vectors["embedding"].shape[1])]
    return heads


def _rounded(vectors: Array) -> list[list[float]]:
    return [[round(float(value), _DIGITS) for value in values] for values in vectors.T]


def _spelled(values: list[Any]) -> list[Any]:
    return [
        "; ".join(f"{label['label']} {label['activation']:.4f}" for label in value)
        if isinstance(value, list)
        else value
        for value in values
    ]


def _texts(values: Array) -> list[str]:
    """Spell numbers in as few digits as tell them apart in their type."""
    texts: list[str] = values.astype("U32").tolist()
    return texts


def _json_number(text: str) -> str:
    return "null" if text in ("nan", "inf", "-inf") else text
