"""GTZAN, fault-filtered (Kereliuk, Sturm and Larsen, 2015): genres, 443 / 197 / 290 excerpts."""

from __future__ import annotations

from pathlib import Path

from training.downstream.datasets.collected import Collected, Item, find_file, read_lines
from training.errors import DataError

FAMILY = "genre"
GENRES = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)
_ARCHIVES = ("genres", "gtzan_genre/genres")
"""Where its archive, and mirdata, put the folders of the genres."""

_LISTS = {"train": "train", "validation": "valid", "test": "test"}


def read_gtzan(folder: Path) -> Collected:
    """Read ``train_filtered.txt``, ``valid_filtered.txt`` and ``test_filtered.txt``.

    A line names a file, ``blues/blues.00029.wav``. Artists are not told; the split does not share
    them, and each excerpt is a group of its own. Files may end in ``.au`` too, as GTZAN was first
    published.

    Parameters
    ----------
    folder : Path
        With the lists.

    Raises
    ------
    DataError
        A list is missing, or names something else.
    """
    items = []
    for split, name in _LISTS.items():
        path = find_file(folder, f"{name}_filtered.txt", f"split/gtzan/{name}_filtered.txt")
        for number, line in enumerate(read_lines(path), start=1):
            genre, _, file = line.partition("/")
            if genre not in GENRES or not file:
                raise DataError(
                    f"{path}: line {number} is {line[:80]!r}; wanted GENRE/FILE, with one of "
                    f"{', '.join(GENRES)}"
                )
            stem = file.removesuffix(".wav").removesuffix(".au")
            others = (f"{genre}/{stem}.au", *(f"{place}/{line}" for place in _ARCHIVES))
            items.append(Item(stem, line, (f"{FAMILY}---{genre}",), stem, split, others))
    return Collected(tuple(f"{FAMILY}---{genre}" for genre in GENRES), items)
