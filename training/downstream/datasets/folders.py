"""Data sets without a published form: a folder for each class, and what mirdata knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def read_mirdata(folder: Path, name: str) -> Collected:
    """Take what a loader of mirdata knows: tracks with audio, and a genre or tags.

    Parameters
    ----------
    folder : Path
        Where mirdata keeps the data set (its ``data_home``).
    name : str
        Of the loader, ``gtzan_genre`` for instance.

    Raises
    ------
    DataError
        mirdata is not installed, has no such loader, or its tracks have neither genre nor tags.
    """
    try:
        import mirdata  # type: ignore[import-not-found]
    except ImportError as error:
        raise DataError(
            f"mirdata:{name} needs the package mirdata ({error}): pip install mirdata"
        ) from None
    if name not in mirdata.list_datasets():
        raise DataError(f"mirdata has no loader {name!r}; it has {len(mirdata.list_datasets())}")
    data = mirdata.initialize(name, data_home=str(folder))
    items = [
        item
        for identity, track in data.load_tracks().items()
        if (item := _of_mirdata(identity, track, folder)) is not None
    ]
    classes = tuple(sorted({label for item in items for label in item.labels}))
    if not classes:
        raise DataError(f"mirdata's {name} has no tracks with audio and a genre or tags")
    return Collected(classes, items)


def _of_mirdata(identity: str, track: Any, folder: Path) -> Item | None:
    audio = getattr(track, "audio_path", None)
    genre: Any = getattr(track, "genre", None)
    tags: Any = getattr(track, "tags", None)
    if not audio or not (genre or tags):
        return None
    if genre:
        labels: tuple[str, ...] = (f"genre---{genre}",)
    else:
        labels = tuple(
            dict.fromkeys(tags.split("\t") if isinstance(tags, str) else map(str, tags or ()))
        )
    path = Path(audio)
    below = path.relative_to(folder) if path.is_relative_to(folder) else path
    group = getattr(track, "artist_id", None) or getattr(track, "artist", None) or identity
    return Item(identity, below.as_posix(), labels, str(group))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror})") from None
