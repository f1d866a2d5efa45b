"""Rows to Parquet files, and back. The only place that knows the library that does it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from .columns import ALL_TABLES, METADATA_KEY, Vectors, columns_of, is_vector, schema_of, type_of
from .path_text import path_text
from .places import Content, write_file

if TYPE_CHECKING:
    from arro3.core import DataType, Schema, Table

_LARGEST_HALF = float(np.finfo(np.float16).max)

#: A row group is turned into pages at once: the fewer rows, the less memory that takes.
_GROUP_ROWS = 512
_BATCH_ROWS = 65536
_MAGIC = b"PAR1"

Array = npt.NDArray[Any]


@dataclass
class Rows:
    """Rows of a table.

    Attributes
    ----------
    values : dict of str to list
        Column -> its values, for all columns but vectors.
    vectors : dict of str to numpy.ndarray
        Column -> shape [rows, values].
    told : dict
        What the file's metadata tell.
    """

    values: dict[str, list[Any]]
    vectors: dict[str, Array]
    told: dict[str, Any]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.values.values()), []))

    def only(self, kept: Sequence[bool]) -> Rows:
        """Give some of them."""
        where = np.asarray(kept, bool)
        return Rows(
            {
                name: [value for value, keep in zip(values, kept, strict=True) if keep]
                for name, values in self.values.items()
            },
            {name: values[where] for name, values in self.vectors.items()},
            self.told,
        )


def as_half(values: Array) -> npt.NDArray[np.float16]:
    """Round values to float16; those beyond what that holds are cut off there."""
    return np.clip(values, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)


Encode = Callable[[str, Rows, Vectors], Content]
"""What makes a file of rows: `encode_rows`, or something that has it done elsewhere."""


def write_rows(
    path: Path, table: str, rows: Rows, vectors: Vectors, encode: Encode | None = None
) -> None:
    """Write a file of a table, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        Replaced if it exists; its folder exists.
    table, rows, vectors
        See `encode_rows`.
    encode : callable, optional
        Makes the file; `encode_rows` if none does.

    Raises
    ------
    OSError
        It could not be written; then `path` is as it was.
    """
    write_file(path, (encode or encode_rows)(table, rows, vectors))


def encode_rows(table: str, rows: Rows, vectors: Vectors) -> bytes:
    """Make a file of a table. Python's lock is held meanwhile.

    Parameters
    ----------
    table : str
        Which table: a name of `essentia_maest.results.columns.ALL_TABLES`.
    rows : Rows
        What to write. Embeddings beyond what float16 holds are cut off there.
    vectors : Vectors
        How the lists are kept.

    Returns
    -------
    bytes
        Parquet.
    """
    from arro3.core import Array as Column
    from arro3.core import Table, fixed_size_list_array
    from arro3.io import write_parquet

    arrays = []
    for column in columns_of(table, vectors):
        kind = type_of(column, vectors)
        if is_vector(column):
            values = rows.vectors[column.name]
            if vectors.type_of(column.kind) == "float16" and values.dtype != np.float16:
                values = as_half(values)
            flat = np.ascontiguousarray(values, vectors.type_of(column.kind)).reshape(-1)
            arrays.append(
                fixed_size_list_array(Column.from_numpy(flat), values.shape[1], type=kind)
            )
        elif column.kind == "labels":
            arrays.append(_lists_of_labels(rows.values[column.name], kind))
        else:
            arrays.append(Column(rows.values[column.name], kind))
    told = json.dumps(rows.told, ensure_ascii=False, allow_nan=False)
    told = told.encode("utf-8", "backslashreplace").decode()
    written = io.BytesIO()
    names = [column.name for column in columns_of(table, vectors) if is_vector(column)]
    write_parquet(
        Table.from_arrays(arrays, schema=schema_of(table, vectors, told)),
        written,
        compression="zstd(1)",
        max_row_group_size=_GROUP_ROWS,
        # Numbers that never come twice: a dictionary of them is work for nothing.
        column_dictionary_enabled={(name, "list", "item"): False for name in names},
    )
    return written.getvalue()


def _lists_of_labels(lists: Sequence[Sequence[Mapping[str, Any]]], kind: DataType) -> Any:
    from arro3.core import Array as Column
    from arro3.core import list_array, struct_array

    fields = kind.value_type.fields if kind.value_type else []
    every = [label for labels in lists for label in labels]
    parts = [Column([label[field.name] for label in every], field.type) for field in fields]
    ends = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    structs = struct_array(parts, fields=fields)
    return list_array(Column.from_numpy(ends), structs, type=kind)


class TornFileError(InvalidArgumentError):
    """A file begins as Parquet, or is empty, and does not end so: it was not written to its end."""


def read_table(path: Path) -> Table:
    """Read a file as an Arrow table.

    Parameters
    ----------
    path : pathlib.Path
        A file of a table.

    Returns
    -------
    arro3.core.Table

    Raises
    ------
    TornFileError
        It was not written to its end.
    essentia_maest.errors.InvalidArgumentError
        It is not Parquet, or damaged.
    OSError
        It cannot be read.
    """
    from arro3.io import read_parquet

    # Bytes: paths may have names that are not UTF-8.
    content = path.read_bytes()
    try:
        if len(content) < 12 or content[:4] != _MAGIC or content[-4:] != _MAGIC:
            raise ValueError(f"{len(content)} bytes, without the marks of one")
        return read_parquet(content, batch_size=_BATCH_ROWS).read_all()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library's is no Exception
        torn = _MAGIC.startswith(content[:4]) and content[-4:] != _MAGIC
        raise (TornFileError if torn else InvalidArgumentError)(
            f"{path_text(path)}: is no whole Parquet file ({error}); without it, what is in "
            "it counts as not done"
        ) from error


def told_by(schema: Schema) -> dict[str, Any]:
    """Read what the metadata of a table tell; empty if they tell nothing."""
    text = dict(schema.metadata).get(METADATA_KEY.encode())
    told = json.loads(text) if text else {}
    return told if isinstance(told, dict) else {}


def kinds_of(table: Table) -> list[tuple[str, str]]:
    """Tell the columns of a table and their types."""
    return [(name, str(table.field(name).type)) for name in table.column_names]


def column_values(table: Table, name: str) -> list[Any]:
    """Give a column as a list of Python's values."""
    return [value for chunk in table[name].chunks for value in chunk.to_pylist()]


def column_vectors(table: Table, name: str) -> Array:
    """Give a column of vectors as an array [rows, values]."""
    from arro3.core import list_flatten

    chunks = table[name].chunks
    length = table.field(name).type.list_size or 0
    flat = [np.asarray(list_flatten(chunk)) for chunk in chunks if len(chunk)]
    values = np.concatenate(flat) if flat else np.zeros(0, np.float32)
    return values.reshape(table.num_rows, length)


def rows_of(table: Table, name: str, leaving_out: Sequence[str] = ()) -> Rows:
    """Give the rows of a table.

    Parameters
    ----------
    table : arro3.core.Table
        As `read_table` gave it.
    name : str
        Which table it is.
    leaving_out : sequence of str
        Columns that are not wanted.

    Returns
    -------
    Rows
    """
    there = set(table.column_names) - set(leaving_out)
    columns = [column for column in ALL_TABLES[name] if column.name in there]
    return Rows(
        {
            column.name: column_values(table, column.name)
            for column in columns
            if not is_vector(column)
        },
        {
            column.name: column_vectors(table, column.name)
            for column in columns
            if is_vector(column)
        },
        told_by(table.schema),
    )


def joined(parts: Sequence[Table], name: str, vectors: Vectors) -> Table:
    """Put tables that have the same columns one behind the other.

    Parameters
    ----------
    parts : sequence of arro3.core.Table
        Perhaps none.
    name : str
        Which table they are of.
    vectors : Vectors
        How their lists are kept.

    Returns
    -------
    arro3.core.Table
        With the metadata of the last one.
    """
    from arro3.core import Table

    schema = parts[-1].schema if parts else schema_of(name, vectors, "{}")
    batches = [batch.with_schema(schema) for part in parts for batch in part.to_batches()]
    return Table.from_batches(batches, schema=schema)


def vectors_of(schemas: Mapping[str, Schema]) -> Vectors:
    """Tell how lists are kept, from the schemas of tables."""
    found: dict[str, Any] = {}
    for schema in schemas.values():
        for name in set(schema.names) & {"embedding", "predictions"}:
            kind = schema.field(name).type
            found[name] = kind.list_size
            if name == "embedding":
                found["embeddings_type"] = "float16" if "Float16" in str(kind) else "float32"
    return Vectors(**found)
