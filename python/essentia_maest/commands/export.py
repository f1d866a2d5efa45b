"""`maest export`: tables of results in other forms."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ..decoding.paths import printable_path
from ..errors import InvalidArgumentError
from ..files import written_whole
from .saying import ALL_DONE, complain
from .surroundings import show

CSV, JSONL, LANCEDB = FORMS = ("csv", "jsonl", "lancedb")
TABLES = ("tracks", "segments", "failures")
_STDOUT = "-"


def add(commands: Any) -> None:
    """Add the sub-command `export` to the parsers of `maest`."""
    parser = commands.add_parser(
        "export",
        help="write results in another form",
        description="Write a table of results as a sheet (CSV), as lines of JSON, or into a "
        "LanceDB database, for which `pip install 'essentia-maest[lancedb]'` is needed. Memory "
        "does not grow with the collection.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("results", metavar="OUT", help="folder that `maest analyze -o` wrote")
    add("--to", choices=FORMS, required=True, help="the form")
    add(
        "-o",
        dest="destination",
        metavar="DEST",
        help="file, - for stdout, or folder of the database (default: TABLE.csv, TABLE.jsonl or "
        "lancedb in OUT)",
    )
    add("--table", choices=TABLES, default=TABLES[0], help="which table (default: %(default)s)")
    add("--embeddings", action="store_true", help="in CSV, a column for each value of them, too")
    parser.set_defaults(command="export", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write a table in another form, and give the exit code."""
    from ..results.exporting import tables_of, write_store

    if arguments.embeddings and arguments.to != CSV:
        raise InvalidArgumentError(f"--embeddings is for csv; {arguments.to} has them always")
    folder = Path(os.path.abspath(arguments.results))
    tables = tables_of(folder, arguments.table)
    if arguments.to == LANCEDB:
        place = folder / LANCEDB if arguments.destination is None else Path(arguments.destination)
        if arguments.destination == _STDOUT:
            raise InvalidArgumentError("lancedb is a folder of files; wanted: -o FOLDER")
        count = write_store(tables, arguments.table, place.absolute())
        complain(f"{count} rows in table {arguments.table} of {printable_path(place)}")
        return ALL_DONE
    if arguments.destination == _STDOUT:
        _write(tables, arguments, _Stdout())
        return ALL_DONE
    named = arguments.destination or folder / f"{arguments.table}.{arguments.to}"
    place = Path(os.path.abspath(named))
    if place.is_dir():
        raise InvalidArgumentError(f"{printable_path(place)}: is a folder; wanted: a file")
    with (
        written_whole(place) as unfinished,
        open(unfinished, "x", encoding="utf-8", newline="") as file,
    ):
        count = _write(tables, arguments, file)
    complain(f"{count} rows in {printable_path(place)}")
    return ALL_DONE


class _Stdout:
    """What is written to it is printed, with the errors that printing has."""

    def write(self, text: str) -> int:
        show(text.removesuffix("\n"))
        return len(text)


def _write(tables: Any, arguments: argparse.Namespace, file: Any) -> int:
    from ..results.exporting import write_lines, write_sheet

    if arguments.to == CSV:
        return write_sheet(tables, arguments.table, file, arguments.embeddings)
    return write_lines(tables, arguments.table, file)
