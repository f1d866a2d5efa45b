"""Tables as sheets beside them: what people look at in a spreadsheet."""

from __future__ import annotations

import io
from pathlib import Path

from .exporting import tables_of, write_sheet
from .places import write_file


def write_csv(folder: Path) -> None:
    """Write ``tracks.csv`` and ``failures.csv`` beside the tables; embeddings stay in those.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.

    Raises
    ------
    OSError
        A file could not be written.
    """
    for table in ("tracks", "failures"):
        sheet = io.StringIO(newline="")
        write_sheet(tables_of(folder, table), table, sheet, embeddings=False)
        write_file(folder / f"{table}.csv", sheet.getvalue().encode())
