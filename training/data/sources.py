"""Tables that people have, CSV, TSV or Parquet, read into columns of known types.

Unusable lines and values are refused one by one; only an unusable file stops the command.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.data.columns import TYPES, WANTED, Kind, convert, decode_text
from training.data.report import Report
from training.errors import DataError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass
class Source:
    """Rows of a person's table, and which of them are still good.

    Parameters
    ----------
    table : pyarrow.Table
        The columns asked for; one that the file lacks is null everywhere.
    present : frozenset of str
        Columns that the file has.
    numbers : int64 [rows]
        Number of each row in the file; the first row after the header is 1.
    folder : Path
        Where the file lies; relative audio paths start there.
    report : Report
        Where refused rows go.

    Attributes
    ----------
    good : bool [rows]
        Rows that nothing was found against so far.
    """

    table: pa.Table
    present: frozenset[str]
    numbers: NDArray[np.int64]
    folder: Path
    report: Report

    def __post_init__(self) -> None:
        self.good = np.ones(self.table.num_rows, bool)

    def refuse(
        self, reason: str, bad: NDArray[np.bool_] | pa.ChunkedArray, found: str | None = None
    ) -> None:
        """Refuse rows that are still good and where `bad` [rows] holds.

        `found` names the column whose value the report shows.
        """
        rows = np.flatnonzero(self.good & np.asarray(bad, dtype=bool))
        if not len(rows):
            return
        self.good[rows] = False
        details: pa.Array | str = ""
        if found is not None:
            details = _as_text(self.table[found].take(pa.array(rows)))
        self.report.add_many(reason, self.names(rows), details)

    def set_column(self, name: str, values: pa.ChunkedArray) -> None:
        """Replace a column, for instance by its default."""
        self.table = self.table.set_column(self.table.schema.get_field_index(name), name, values)

    def names(self, rows: NDArray[np.int64]) -> pa.Array:
        """Name rows as the report does: ``id, row 17``, by the path where there is no id."""
        numbers = pc.binary_join_element_wise(
            "row", pa.array(self.numbers[rows]).cast(pa.string()), " "
        )
        chosen = self.table.select(["id", "path"]).take(pa.array(rows)).combine_chunks()
        names = pc.coalesce(chosen["id"], chosen["path"])
        named = pc.binary_join_element_wise(names, numbers, ", ")
        return pc.if_else(pc.is_null(names), numbers, named)

    def require_some(self, path: Path) -> None:
        """Stop when no row is good.

        Raises
        ------
        DataError
            With the refusals' counts.
        """
        if not self.good.any():
            reasons = "; ".join(f"{reason}: {n}" for reason, n in self.report.refused.items())
            raise DataError(f"{path}: no usable row left ({reasons or 'the table is empty'})")


def read_source(
    path: Path, required: Mapping[str, Kind], optional: Mapping[str, Kind], report: Report
) -> Source:
    """Read the columns that a command knows; others in the file are ignored.

    Parameters
    ----------
    path : Path
        ``.csv`` (comma), ``.tsv`` (tab) or ``.parquet``, with column names.
    required, optional : mapping
        Column to kind: `text`, `number`, or lists of them. In CSV and TSV a list is text
        separated by ``;`` or ``|``. Text is stripped of white space; empty text is null.
    report : Report
        Gets malformed lines, and rows with a number that is none or text that is not UTF-8.

    Raises
    ------
    DataError
        When the file is missing, unreadable, or lacks a required column.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file; wanted a table (.csv, .tsv or .parquet)")
    kinds = {**required, **optional}
    malformed: list[int] = []
    try:
        if path.suffix.lower() == ".parquet":
            names = pq.read_schema(path).names
            _check_columns(path, names, required)
            table = pq.read_table(path, columns=[n for n in kinds if n in names], partitioning=None)
        elif path.suffix.lower() in _DELIMITERS:
            table = _read_text(path, required, kinds, malformed, report)
        else:
            raise DataError(f"{path}: unknown kind of table; wanted .csv, .tsv or .parquet")
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from None

    present = frozenset(table.column_names)
    # blank lines are not counted by the reader, so a malformed line's number may be past the end
    numbers = np.arange(1, table.num_rows + len(malformed) + 1, dtype=np.int64)
    numbers = np.setdiff1d(numbers, malformed)[: table.num_rows]
    columns: dict[str, pa.ChunkedArray] = {}
    bad: list[tuple[str, NDArray[np.bool_]]] = []
    for name, kind in kinds.items():
        if name not in present:
            columns[name] = pa.chunked_array([pa.nulls(table.num_rows, TYPES[kind])])
            continue
        values = table[name]
        if pa.types.is_binary(values.type):
            values, undecodable = decode_text(values)
            bad.append((f"{name} is not UTF-8", undecodable))
        try:
            columns[name], wrong = convert(values, kind)
        except pa.ArrowException:
            raise DataError(
                f"{path}: column {name} has type {values.type}; wanted {WANTED[kind]}"
            ) from None
        bad.append((f"{name} is not a number", wrong))
    source = Source(pa.table(columns), present, numbers, path.absolute().parent, report)
    for reason, rows in bad:
        source.refuse(reason, rows)
    report.count("rows read", len(source.good) + len(malformed))
    return source


def refuse_missing_files(source: Source) -> None:
    """Refuse good rows whose `path` is no file on disk.

    One look-up a row, 32 at a time: a network file system answers each in a millisecond.
    """
    rows = np.flatnonzero(source.good)
    paths = source.table["path"].take(pa.array(rows)).to_pylist()
    with ThreadPoolExecutor(32) as pool:
        blocks = (paths[start : start + 4096] for start in range(0, len(paths), 4096))
        found = list(pool.map(lambda block: _are_files(source.folder, block), blocks))
    missing = np.zeros(len(source.good), bool)
    missing[rows] = ~np.array([there for block in found for there in block], bool)
    source.refuse("no such audio file", missing, "path")


def _are_files(folder: Path, paths: Iterable[str]) -> list[bool]:
    return [os.path.isfile(os.path.join(folder, path)) for path in paths]


def refuse_repeated_ids(source: Source) -> None:
    """Refuse good rows whose `id` a good row before them has."""
    rows = np.flatnonzero(source.good)
    ids = source.table["id"].take(pa.array(rows)).combine_chunks()
    codes = np.asarray(ids.dictionary_encode().indices)
    again = np.zeros(len(source.good), bool)
    again[np.delete(rows, np.unique(codes, return_index=True)[1])] = True
    source.refuse("id is used by an earlier row", again, "path")


def refuse_short(source: Source, shortest_seconds: float) -> None:
    """Refuse rows that are not longer than this; unknown durations stay."""
    short = pc.less_equal(source.table["seconds"], shortest_seconds)
    source.refuse(f"not longer than {shortest_seconds:g} s", pc.fill_null(short, False), "seconds")


def _read_text(
    path: Path,
    required: Mapping[str, Kind],
    kinds: Mapping[str, Kind],
    malformed: list[int],
    report: Report,
) -> pa.Table:
    delimiter = _DELIMITERS[path.suffix.lower()]

    def skip(line: pyarrow.csv.InvalidRow) -> str:
        # the handler's number counts lines from 1, the header among them
        malformed.append(line.number - 1)
        report.add(
            "line with a wrong number of fields",
            f"row {line.number - 1}",
            f"{line.actual_columns} fields instead of {line.expected_columns}: {line.text[:200]}",
        )
        return "skip"

    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip)
    # several threads do not know a line's number
    read = pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 24)
    names = _header(path, delimiter)
    _check_columns(path, names, required)
    wanted = [name for name in kinds if name in names]
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(wanted, pa.binary()), include_columns=wanted
    )
    return pyarrow.csv.read_csv(path, read, parse, convert)


def _header(path: Path, delimiter: str) -> list[str]:
    try:
        # only the first line must be UTF-8
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            return next(csv.reader(file, delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(f"{path}: not a table of text: {error}") from None


def _check_columns(path: Path, names: list[str], required: Mapping[str, Kind]) -> None:
    missing = [name for name in required if name not in names]
    if missing:
        raise DataError(
            f"{path}: no column {' and no column '.join(missing)}; found {', '.join(names)}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {', '.join(twice)} appears more than once")


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_list(column.type):
        column = pc.binary_join(column.cast(pa.list_(pa.string())), ";")
    return pc.fill_null(column.combine_chunks().cast(pa.string()), "")
