"""Tables as sheets: what people look at in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .columns import FAILURES, TRACKS, is_vector
from .opened import Results
from .places import write_file

_DIGITS = 4


def write_csv(folder: Path) -> None:
    """Write ``tracks.csv`` and ``failures.csv`` beside the tables.

    `top` is text there, such as ``Genre---Rock 0.91; Metre---triple 0.55``, and each label has a
    column with its activation. Embeddings stay in the tables.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.

    Raises
    ------
    OSError
        A file could not be written.
    """
    results = Results(folder)
    names = [
        column.name
        for column in TRACKS
        if not is_vector(column) and column.name in results.tracks.column_names
    ]
    columns = [_spelled(results.tracks[name].to_pylist()) for name in names]
    labels: tuple[str, ...] = ()
    if "predictions" in results.tracks.column_names:
        labels = results.labels
        columns += [
            [round(float(value), _DIGITS) for value in values]
            for values in results.predictions()[0].T
        ]
    _write(folder / "tracks.csv", [*names, *labels], columns)
    names = [column.name for column in FAILURES]
    columns = [_spelled(results.failures[name].to_pylist()) for name in names]
    _write(folder / "failures.csv", names, columns)


def _spelled(values: Iterable[Any]) -> list[Any]:
    return [
        "; ".join(f"{label['label']} {label['activation']:.4f}" for label in value)
        if isinstance(value, list)
        else value
        for value in values
    ]


def _write(path: Path, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    write_file(path, sheet.getvalue().encode())
