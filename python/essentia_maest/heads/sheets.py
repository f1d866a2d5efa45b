"""A sheet of labels as text: rows and the columns that they have, whoever wrote it."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..collection.endings import audio_endings
from ..errors import InvalidArgumentError, ModelError
from ..reading.plain_text import is_plain
from ..reading.text_files import read_text

_SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class Sheet:
    """What a sheet holds.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    columns : tuple of str
        Names of the columns, without spaces round them.
    rows : list of (int, dict)
        Line of the file -> column -> text, without spaces round it. Empty rows are left out.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]


def read_sheet(path: Path) -> Sheet:
    """Read a CSV file: UTF-8 or with a byte order mark, separated by ``,``, ``;``, tab or ``|``.

    Parameters
    ----------
    path : pathlib.Path
        The file. Its first line names the columns.

    Returns
    -------
    Sheet

    Raises
    ------
    InvalidArgumentError
        It cannot be read, is empty or no text, has no line of names, a name twice, or rows with
        more or fewer cells than names.
    """
    try:
        text = read_text(path)
    except ModelError as error:
        raise InvalidArgumentError(str(error)) from error
    lines = text.splitlines()
    header = next((line for line in lines if line.strip()), "")
    if not header:
        raise InvalidArgumentError(
            f"{path}: is empty; wanted a line of names, such as path,label, and a row for each file"
        )
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                found.append((reader.line_num, stripped))
    except csv.Error as error:
        raise InvalidArgumentError(f"{path}: line {reader.line_num}: is no CSV: {error}") from error
    columns = tuple(found[0][1])
    _check_names(path, columns)
    for line, cells in found[1:]:
        if len(cells) != len(columns):
            raise InvalidArgumentError(
                f"{path}: line {line} has {len(cells)} cells; wanted {len(columns)}, as the first "
                f"line names {', '.join(columns)}"
            )
    rows = [(line, dict(zip(columns, cells, strict=True))) for line, cells in found[1:]]
    if not rows:
        raise InvalidArgumentError(
            f"{path}: has the columns {', '.join(columns)} and no row; wanted one for each file"
        )
    return Sheet(path, columns, rows)


def _check_names(path: Path, columns: tuple[str, ...]) -> None:
    if any(Path(name).suffix.lower() in audio_endings() for name in columns):
        raise InvalidArgumentError(
            f"{path}: the first line is {', '.join(columns)}, a row; wanted a line of names before "
            "it, such as path,label"
        )
    name, count = Counter(columns).most_common(1)[0]
    if count > 1 or not all(columns):
        what = f"{name!r} comes {count} times" if count > 1 else "one is empty"
        raise InvalidArgumentError(
            f"{path}: the first line names the columns {', '.join(columns)}: {what}; wanted every "
            "name once"
        )
    if not all(map(is_plain, columns)):
        raise InvalidArgumentError(f"{path}: a name of a column has control characters")
