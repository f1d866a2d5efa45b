"""The table of a made collection, as `python -m training table` reads it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from essentia_maest.files import written_whole

COLUMNS = ("path", "tags", "weights", "families", "id", "group", "split")


@dataclass(frozen=True)
class Row:
    """One audio file of a collection.

    Parameters
    ----------
    path : Path
        Below the collection's folder.
    tags : tuple of str
        ``Family---Name`` each.
    identity, group, split : str
        A group (artist, piece) lies in one split: train, validation or test.
    weights : tuple of float
        One for each tag, above 0 and up to 1; empty: 1 each.
    families : tuple of str
        Families of classes that are known for this file; empty: all are.
    """

    path: Path
    tags: tuple[str, ...]
    identity: str
    group: str
    split: str
    weights: tuple[float, ...] = ()
    families: tuple[str, ...] = ()


def write_collection(rows: Iterable[Row], folder: Path) -> Path:
    """Write ``collection.csv``, under its name only once whole.

    Parameters
    ----------
    rows : iterable of Row
    folder : path
        The collection's folder.

    Returns
    -------
    pathlib.Path
        The table.
    """
    path = folder / "collection.csv"
    with written_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            weights = row.weights or (1.0,) * len(row.tags)
            writer.writerow(
                (
                    row.path.as_posix(),
                    ";".join(row.tags),
                    ";".join(f"{weight:.4g}" for weight in weights),
                    ";".join(row.families),
                    row.identity,
                    row.group,
                    row.split,
                )
            )
    return path
