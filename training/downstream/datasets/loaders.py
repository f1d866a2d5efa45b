"""What the loaders of mirdata know: tracks, labels, splits, checksums."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.data.tracks import SPLITS
from training.downstream.datasets.collected import Collected, Item
from training.errors import DataError

GENRE, TAG = "genre", "tag"
"""Families of labels that come without one."""

_SPLITS = {**{name: name for name in SPLITS}, "valid": "validation", "val": "validation"}


def read_mirdata(folder: Path, name: str, *, check_files: bool = True) -> Collected:
    """Take what a loader of mirdata knows: tracks with audio, and a genre or tags.

    The split is the one that the loader has, the first where it has several; tracks are dealt out
    by artist where it has none.

    Parameters
    ----------
    folder : Path
        Where mirdata keeps the data set (its ``data_home``).
    name : str
        Of the loader, ``gtzan_genre`` for instance.
    check_files : bool
        Have mirdata compare the files that are there with its checksums, which reads all of them;
        how many differ is noted.

    Raises
    ------
    DataError
        mirdata is not installed or cannot read the data set (its own words), has no such loader, or
        its tracks have neither genre nor tags.
    """
    try:
        import mirdata  # type: ignore[import-not-found]
    except ImportError as error:
        raise DataError(
            f"mirdata:{name} needs the package mirdata ({error}): pip install mirdata"
        ) from None
    if name not in mirdata.list_datasets():
        raise DataError(f"mirdata has no loader {name!r}; it has {len(mirdata.list_datasets())}")
    with _own_words(name):
        data = mirdata.initialize(name, data_home=str(folder))
        splits = _splits(data)
        items = [
            item
            for identity, track in data.load_tracks().items()
            if (item := _item(identity, track, folder, splits.get(identity, ""))) is not None
        ]
        notes = _validated(data) if check_files else ()
    classes = tuple(sorted({label for item in items for label in item.labels}))
    if not classes:
        raise DataError(f"mirdata's {name} has no tracks with audio and a genre or tags")
    return Collected(classes, items, notes=notes)


@contextmanager
def _own_words(name: str) -> Iterator[None]:
    """Say in a line what a loader complains of; most want their index or metadata downloaded."""
    try:
        yield
    except Exception as error:
        raise DataError(
            f"mirdata cannot read {name}: {' '.join(str(error).split()) or type(error).__name__} "
            f'(its index: python -c "import mirdata; '
            f"mirdata.initialize('{name}').download(['index'])\")"
        ) from error


def _splits(data: Any) -> dict[str, str]:
    """Give the split of each track, where the data set was published with the usual three."""
    try:
        found = data.get_track_splits()
    except (NotImplementedError, AttributeError):
        return {}
    if not {_SPLITS.get(name) for name in found} >= set(SPLITS):
        return {}
    return {
        identity: _SPLITS[name]
        for name, ids in found.items()
        if name in _SPLITS
        for identity in ids
    }


def _item(identity: str, track: Any, folder: Path, split: str) -> Item | None:
    audio = getattr(track, "audio_path", None)
    genre: Any = getattr(track, "genre", None)
    tags: Any = getattr(track, "tags", None)
    if not audio or not (genre or tags):
        return None
    if genre:
        labels = [f"{GENRE}---{genre}"]
    else:
        told = tags.split("\t") if isinstance(tags, str) else map(str, tags)
        labels = [tag if "---" in tag else f"{TAG}---{tag}" for tag in told]
    path = Path(audio)
    below = path.relative_to(folder) if path.is_relative_to(folder) else path
    group = getattr(track, "artist_id", None) or getattr(track, "artist", None) or identity
    return Item(identity, below.as_posix(), tuple(dict.fromkeys(labels)), str(group), split)


def _validated(data: Any) -> tuple[str, ...]:
    missing, other = data.validate(verbose=False)
    counts = [len(found.get("tracks", {})) for found in (missing, other)]
    told = "as published, by mirdata's checksums"
    if any(counts):
        told = f"{counts[0]:,} tracks lack files, {counts[1]:,} have files that were not {told}"
        return (f"of {len(data.track_ids):,} tracks in mirdata's index {told}",)
    return (f"all files of {len(data.track_ids):,} tracks are {told}",)
