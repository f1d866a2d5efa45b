"""What is in the tables: every column once, with its type, its unit and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arro3.core import DataType, Schema

METADATA_KEY = "essentia_maest"
"""Where a file's metadata tell what was computed, by what and how: JSON."""

VECTOR_TYPES = ("float32", "float16")
"""What embeddings are kept in."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        ``"int64"``, ``"int32"``, ``"float64"``, ``"bool"``, ``"text"``, ``"labels"`` (a list of
        family, label and activation), ``"embedding"`` or ``"predictions"`` (lists of one length).
    unit : str
        Empty where there is none.
    says : str
        What it says.
    gaps : bool
        Whether it may be null.
    """

    name: str
    kind: str
    unit: str
    says: str
    gaps: bool = False


_PATH = Column(
    "path",
    "text",
    "",
    r"the file, relative to `root`; a byte that is not UTF-8 is written as `\xff` is (and a "
    r"backslash that would read as one as `\x5c`)",
)
_ROOT = Column("root", "text", "", "the folder that was given, or that of a file that was given")

TRACKS = (
    Column("id", "int64", "", "what `segments` call the track; it stays when the file moves"),
    _PATH,
    _ROOT,
    Column("size", "int64", "bytes", "of the file"),
    Column("mtime", "int64", "ns since 1970", "when the file was changed last"),
    Column("audio_hash", "text", "", "128 bits of the SHA-256 of the file without its tags"),
    Column("seconds", "float64", "s", "length of the audio"),
    Column("segments", "int32", "", "how many were computed"),
    Column("decoder", "text", "", "who decoded it"),
    Column("container", "text", "", "what the file is"),
    Column("codec", "text", "", "how its samples are coded"),
    Column("truncated", "bool", "", "the file ends before it says it does"),
    Column("seconds_promised", "float64", "s", "what a truncated file says of itself", True),
    Column("damage", "text", "", "what could not be decoded and is left out, in words", True),
    Column("silent", "bool", "", "no sample reaches -60 dB"),
    Column("short", "bool", "", "less than a second"),
    Column("decode_seconds", "float64", "s", "CPU time from the file to samples at 16 kHz"),
    Column("model_seconds", "float64", "s", "time of its front end and model, threads added up"),
    Column(
        "embedding",
        "embedding",
        "",
        "mean over the segments, each weighed by the seconds of the track that it holds",
    ),
    Column("predictions", "predictions", "0 to 1", "activations, a mean as `embedding` is"),
    Column(
        "top",
        "labels",
        "0 to 1",
        "the strongest labels: of each family, or of all for models without families",
    ),
)
"""A row for each file that was analysed."""

TIMES = ("decode_seconds", "model_seconds")
"""Columns of `tracks` in which two runs differ that are alike otherwise."""

SEGMENTS = (
    Column("track", "int64", "", "`id` in `tracks`"),
    Column("start", "float64", "s", "where the segment begins"),
    Column("seconds", "float64", "s", "how much of the track it holds"),
    Column("embedding", "embedding", "", "what the model gives, as `--block` and `--tokens` say"),
    Column("predictions", "predictions", "0 to 1", "activations of the classes"),
)
"""A row for each segment, in the order of the tracks and in time."""

FAILURES = (
    _PATH,
    _ROOT,
    Column("stage", "text", "", "`scan`, `decode` or `analyze`"),
    Column("reason", "text", "", "why, in words"),
    Column("error", "text", "", "the operating system's name of it, such as ENOENT", True),
    Column("size", "int64", "bytes", "of the file, where it could be asked", True),
    Column("mtime", "int64", "ns since 1970", "when the file was changed last", True),
)
"""A row for each file and folder that came to nothing in the last run that met it."""

TABLES = {"tracks": TRACKS, "segments": SEGMENTS, "failures": FAILURES}
"""Table -> its columns. Each is a folder of that name."""

_TRACK = Column("track", "int64", "", "`id` in `tracks`")

HEAD_TABLES = {
    "heads/NAME/tracks": (
        _TRACK,
        Column("predictions", "predictions", "0 to 1", "activations of the head's classes"),
        Column("top", "labels", "0 to 1", "the strongest labels"),
    ),
    "heads/NAME/segments": (
        _TRACK,
        Column("start", "float64", "s", "where the segment begins"),
        Column("seconds", "float64", "s", "how much of the track it holds"),
        Column("predictions", "predictions", "0 to 1", "activations of the head's classes"),
    ),
}
"""The same for each head, with its name for NAME: see `essentia_maest.results.head_tables`."""

ALL_TABLES = {**TABLES, **HEAD_TABLES}
"""Both."""


@dataclass(frozen=True)
class Vectors:
    """How long the lists are, and of what.

    Attributes
    ----------
    embedding : int or None
        Values of an embedding; None where none are computed, and there is no column then.
    predictions : int or None
        Classes, likewise.
    embeddings_type : {"float32", "float16"}
        What embeddings are kept in. Predictions are float32.
    """

    embedding: int | None = None
    predictions: int | None = None
    embeddings_type: str = "float32"

    def length_of(self, kind: str) -> int | None:
        """Give the length of a kind of list."""
        return self.embedding if kind == "embedding" else self.predictions

    def type_of(self, kind: str) -> str:
        """Give what a kind of list is of."""
        return self.embeddings_type if kind == "embedding" else "float32"


def is_vector(column: Column) -> bool:
    """Tell whether a column holds lists of numbers, all of one length."""
    return column.kind in ("embedding", "predictions")


def columns_of(table: str, vectors: Vectors) -> tuple[Column, ...]:
    """Tell which columns a table has.

    Parameters
    ----------
    table : str
        A name of `ALL_TABLES`.
    vectors : Vectors
        What is computed.

    Returns
    -------
    tuple of Column
    """
    return tuple(
        column
        for column in ALL_TABLES[table]
        if (not is_vector(column) or vectors.length_of(column.kind) is not None)
        and (column.kind != "labels" or vectors.predictions is not None)
    )


def schema_of(table: str, vectors: Vectors, metadata: str) -> Schema:
    """Give a table's schema.

    Parameters
    ----------
    table : str
        A name of `ALL_TABLES`.
    vectors : Vectors
        What is computed.
    metadata : str
        JSON, kept under `METADATA_KEY`.

    Returns
    -------
    arro3.core.Schema
    """
    from arro3.core import Field, Schema

    fields = [
        Field(column.name, type_of(column, vectors), nullable=True)
        for column in columns_of(table, vectors)
    ]
    return Schema(fields, metadata={METADATA_KEY: metadata})


def type_of(column: Column, vectors: Vectors) -> DataType:
    """Give a column's Arrow type."""
    from arro3.core import DataType, Field

    plain = {
        "int64": DataType.int64,
        "int32": DataType.int32,
        "float64": DataType.float64,
        "float32": DataType.float32,
        "float16": DataType.float16,
        "bool": DataType.bool,
        "text": DataType.utf8,
    }
    if column.kind == "labels":
        fields = [Field(name, DataType.utf8()) for name in ("family", "label")]
        one = DataType.struct([*fields, Field("activation", DataType.float32())])
        return DataType.list(Field("item", one))
    if is_vector(column):
        value = plain[vectors.type_of(column.kind)]()
        return DataType.list(Field("item", value), vectors.length_of(column.kind))
    return plain[column.kind]()


def page() -> str:
    """Put the columns in Markdown tables, for docs/results_tables.md."""
    shown = {
        "text": "text",
        "labels": "list of {family, label, activation}",
        "embedding": "list of float32 or float16, all of one length",
        "predictions": "list of float32, all of one length",
    }
    lines = []
    for table, columns in ALL_TABLES.items():
        lines += [f"### {table}", "", "| column | type | unit | says |", "|-|-|-|-|"]
        for column in columns:
            kind = shown.get(column.kind, column.kind) + (", or null" if column.gaps else "")
            lines.append(f"| `{column.name}` | {kind} | {column.unit} | {column.says} |")
        lines.append("")
    return "\n".join(lines)
