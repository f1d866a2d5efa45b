"""What every reader of a data set gives, and the tracks table made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from training.data.ragged import Ragged, offsets_of
from training.data.splits import assign_splits
from training.data.tracks import SCHEMA, SPLITS, Tracks, family_of, make_tracks
from training.errors import DataError


@dataclass(frozen=True)
class Item:
    """A track of a data set.

    Attributes
    ----------
    identity : str
        Unique.
    path : str
        Of its audio, relative to the folder of the audio; with several names in use, the first.
    labels : tuple of str
        Classes that it has; perhaps none.
    group : str
        What must not be torn apart when it is asked how sure a score is: the artist where it is
        known.
    split : str
        One of train, validation, test; empty where none was published.
    others : tuple of str
        Other names under which its audio is kept.
    """

    identity: str
    path: str
    labels: tuple[str, ...]
    group: str
    split: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Collected:
    """A data set, read.

    Attributes
    ----------
    classes : tuple of str
        ``Family---Name``, in the order in which they were published.
    items : list of Item
    left_out : dict of str to str
        What was published and is not taken, and why.
    notes : tuple of str
        What a person should know.
    """

    classes: tuple[str, ...]
    items: list[Item]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def tracks_of(
    collected: Collected, folder: Path, *, validation_share: float, test_share: float, seed: int
) -> Tracks:
    """Make a tracks table.

    Every track is annotated with every class: one without any has none of them, and is kept.

    Parameters
    ----------
    collected : Collected
    folder : Path
        Where the paths start.
    validation_share, test_share : float
        Of the tracks, dealt out by group where no split was published.
    seed : int

    Raises
    ------
    DataError
        There are no tracks, or a label is no class.
    """
    items = collected.items
    if not items:
        raise DataError(f"{folder}: no tracks are left; wanted one or more")
    place = {name: number for number, name in enumerate(collected.classes)}
    foreign = sorted({label for item in items for label in item.labels if label not in place})
    if foreign:
        raise DataError(f"{foreign[0]!r} is none of the {len(place)} classes")
    labels = Ragged(
        offsets_of(np.array([len(item.labels) for item in items], np.int64)),
        np.array([place[label] for item in items for label in item.labels], np.int64),
    )
    group = pa.chunked_array([pa.array([item.group for item in items], pa.string())])
    if all(item.split for item in items):
        split = np.array([SPLITS.index(item.split) for item in items], np.int8)
    else:
        split = assign_splits(
            group,
            labels,
            len(place),
            validation_share=validation_share,
            test_share=test_share,
            seed=seed,
        )
    families = sorted({family_of(name) for name in collected.classes})
    return make_tracks(
        ids=pa.chunked_array([pa.array([item.identity for item in items], pa.string())]),
        paths=pa.chunked_array([pa.array([item.path for item in items], pa.string())]),
        labels=labels,
        weights=None,
        families=pa.chunked_array(
            [pa.array([families] * len(items), SCHEMA.field("families").type)]
        ),
        group=group,
        split=split,
        classes=collected.classes,
        folder=folder,
    )


def read_lines(path: Path) -> list[str]:
    """Read a list, a name in each line.

    Raises
    ------
    DataError
        It is not there, or no text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list ({error}); {wanted(path)}") from None
    return [line.strip() for line in lines if line.strip()]


def find_file(folder: Path, *places: str) -> Path:
    """Find a file at one of the places where people have it.

    Raises
    ------
    DataError
        It is at none of them.
    """
    for place in places:
        if (folder / place).is_file():
            return folder / place
    raise DataError(f"{folder}: no {' and no '.join(places)} found; wanted one of them")


def wanted(path: Path) -> str:
    """Say what is wanted, for messages."""
    return f"wanted {path.name} as it was published"
