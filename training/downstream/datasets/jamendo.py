"""MTG-Jamendo: the tables of its repository, split 0 (Bogdanov et al., ML4MD at ICML 2019)."""

from __future__ import annotations

from pathlib import Path

from training.data.tracks import SPLITS
from training.downstream.datasets.collected import Collected, Item, find_file, read_lines
from training.errors import DataError

SUBSETS = ("genre", "instrument", "moodtheme", "top50tags")
_MIRDATA = "audios"
"""Where mirdata wants the audio, below its folder of the data set."""

_HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]


def read_jamendo(folder: Path, subset: str, *, split: int = 0) -> Collected:
    """Read ``autotagging_SUBSET-{train,validation,test}.tsv``.

    A line has track, artist, album, path, seconds, then as many tags as there are, tabs between.
    The group is the artist. Audio may be whole tracks (``34/786434.mp3``) or those of low quality
    (``34/786434.low.mp3``).

    Parameters
    ----------
    folder : Path
        The repository, its ``data``, the folder of the split, or where mirdata keeps them.
    subset : {"genre", "instrument", "moodtheme", "top50tags"}
    split : int

    Raises
    ------
    DataError
        A table is missing, or not in this form.
    """
    if subset not in SUBSETS:
        raise DataError(f"subset {subset!r} of MTG-Jamendo; wanted: {', '.join(SUBSETS)}")
    items: list[Item] = []
    for name in SPLITS:
        table = f"autotagging_{subset}-{name}.tsv"
        path = find_file(
            folder,
            f"data/splits/split-{split}/{table}",
            f"splits/split-{split}/{table}",
            f"metadata/data/splits/split-{split}/{table}",
            table,
        )
        items += _read(path, name)
    twice = len(items) - len({item.identity for item in items})
    if twice:
        raise DataError(f"{folder}: {twice} tracks are in two splits; wanted each in one")
    classes = tuple(sorted({label for item in items for label in item.labels}))
    return Collected(classes, items)


def _read(path: Path, split: str) -> list[Item]:
    lines = read_lines(path)
    if not lines or lines[0].split("\t") != _HEADER:
        raise DataError(
            f"{path}: begins with {lines[0][:80] if lines else 'nothing'!r}; wanted the columns "
            f"{', '.join(_HEADER)} with tabs between"
        )
    items = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if len(fields) < len(_HEADER):
            raise DataError(f"{path}: line {number} has {len(fields)} fields; wanted 6 or more")
        track, artist, _, audio, _, *tags = fields
        low = audio.removesuffix(".mp3") + ".low.mp3"
        others = (low, f"{_MIRDATA}/{audio}", f"{_MIRDATA}/{low}")
        items.append(Item(track, audio, tuple(dict.fromkeys(tags)), artist, split, others))
    return items
