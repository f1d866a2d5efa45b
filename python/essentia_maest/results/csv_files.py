"""Tables as sheets beside them: what people look at in a spreadsheet."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from .exporting import Beside, tables_of, write_sheet
from .head_tables import HeadResults, heads_in
from .places import write_file

TRACKS_SHEET = "tracks.csv"


def write_csv(folder: Path) -> None:
    """Write ``tracks.csv`` and ``failures.csv`` beside the tables; embeddings stay in those.

    What heads predict stands there, too: a column for each label, under ``HEAD: LABEL``. A head
    that is still to be applied to some tracks is left out until it is.

    Parameters
    ----------
    folder : pathlib.Path
        Of the results.

    Raises
    ------
    OSError
        A file could not be written.
    """
    for table, name in (("tracks", TRACKS_SHEET), ("failures", "failures.csv")):
        sheet = io.StringIO(newline="")
        beside = _of_heads(folder) if table == "tracks" else None
        write_sheet(tables_of(folder, table), table, sheet, embeddings=False, beside=beside)
        write_file(folder / name, sheet.getvalue().encode())


def _of_heads(folder: Path) -> Beside | None:
    heads = [head for name in heads_in(folder) if (head := HeadResults(folder, name)).is_complete]
    if not heads:
        return None
    return Beside(
        [f"{head.name}: {label}" for head in heads for label in head.labels],
        np.concatenate([head.predictions() for head in heads], axis=1),
    )
