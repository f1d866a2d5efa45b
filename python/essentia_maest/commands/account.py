"""What is said of a collection at the end of `maest analyze`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import MaestError
from ..reading.plain_text import printable
from .saying import complain
from .telling import show_lines

#: Fewer tracks say nothing of each other; more are not looked at again at the end of a run.
_LEAST, _MOST = 10, 100_000


def tell_account(folder: Path) -> None:
    """Print which labels stand out in a collection, and for which tracks.

    Parameters
    ----------
    folder : pathlib.Path
        Of its tables. They are read a part at a time. Where they cannot be, a line says so: what
        was analysed is there all the same.
    """
    try:
        lines = _lines(folder)
    except (MaestError, OSError) as error:
        complain(f"no account of the collection: {error}")
        return
    show_lines(*map(printable, lines))


def _lines(folder: Path) -> list[str]:
    import numpy as np

    from ..library.account import account_lines
    from ..results.exporting import tables_of
    from ..results.opened import families_in
    from ..results.parquet import column_values, column_vectors, told_by

    activations: list[Any] = []
    paths: list[str] = []
    labels: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    for table in tables_of(folder, "tracks"):
        if "predictions" not in table.column_names:
            return []
        labels = tuple(told_by(table.schema)["labels"])
        families = families or families_in(table, labels)
        activations.append(column_vectors(table, "predictions"))
        paths += column_values(table, "path")
        if len(paths) > _MOST:
            return []
    if len(paths) < _LEAST:
        return []
    names = [os.path.basename(path) for path in paths]
    lines = account_lines(np.concatenate(activations), labels, families, names)
    return [f"what stands out in {len(paths)} tracks, beside each other (and where most):", *lines]
