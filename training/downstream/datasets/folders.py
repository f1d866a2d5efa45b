"""Music without annotations of its own: a folder for each class."""

from __future__ import annotations

from pathlib import Path

from essentia_maest.collection.endings import audio_endings
from training.downstream.datasets.collected import Collected, Item
from training.errors import DataError

FAMILY = "class"


def read_folders(folder: Path) -> Collected:
    """Take each folder in `folder` for a class, and the audio files in it for its tracks.

    A file's group is the folder that it lies in below that of its class (an album), else itself.

    Raises
    ------
    DataError
        There are no two classes.
    """
    endings = audio_endings()
    items = []
    for place in sorted(path for path in _listed(folder) if path.is_dir()):
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() in endings and path.is_file():
                below = path.relative_to(folder)
                group = below.parent if path.parent != place else below
                label = f"{FAMILY}---{place.name}"
                items.append(Item(below.as_posix(), below.as_posix(), (label,), group.as_posix()))
    classes = tuple(sorted({label for item in items for label in item.labels}))
    if len(classes) < 2:
        raise DataError(
            f"{folder}: {len(classes)} folders with audio files found; wanted two or more, each "
            "named as its class"
        )
    return Collected(classes, items)


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
