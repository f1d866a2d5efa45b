"""Million Song Dataset with 50 tags of last.fm: the usual split, and CALS (Won et al., 2021)."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from training.downstream.datasets.collected import Collected, Item, find_file, read_lines
from training.errors import DataError

FAMILY = "lastfm"
TRAINING = 201_680
"""Of the list of training tracks so many are for training; the rest is for validation."""

# As CALS has them, in the order of its columns.
CALS_TAGS = (
    "rock", "pop", "indie", "alternative", "electronic", "hip-hop", "metal", "jazz", "punk",
    "folk", "alternative rock", "indie rock", "dance", "hard rock", "00s", "soul", "hardcore",
    "80s", "country", "classic rock", "punk rock", "blues", "chillout", "experimental",
    "heavy metal", "death metal", "90s", "reggae", "progressive rock", "ambient", "acoustic",
    "beautiful", "british", "rnb", "funk", "metalcore", "mellow", "world", "guitar", "trance",
    "indie pop", "christian", "house", "spanish", "latin", "psychedelic", "electro", "piano",
    "70s", "progressive metal",
)  # fmt: skip
_CALS_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


def read_usual(folder: Path, *, training: int = TRAINING) -> Collected:
    """Read the split of Lee et al. (2017), after Choi's: lists of ids, and 50 numbers for each id.

    Files, all published together: ``filtered_list_train.cP``, ``filtered_list_test.cP``,
    ``msd_id_to_tag_vector.cP``, ``50tagList.txt``; with ``MSD_id_to_7D_id.pkl`` and
    ``7D_id_to_path.pkl`` audio is found under its names at 7digital, else under that of the track
    (``A/B/C/TRABC....mp3``).

    Parameters
    ----------
    folder : Path
        With these files.
    training : int
        See `TRAINING`.

    Raises
    ------
    DataError
        One is missing, or not in this form.
    """
    tags = read_lines(find_file(folder, "50tagList.txt"))
    lists = [_names(find_file(folder, f"filtered_list_{name}.cP")) for name in ("train", "test")]
    splits = {
        **dict.fromkeys(lists[0][:training], "train"),
        **dict.fromkeys(lists[0][training:], "validation"),
        **dict.fromkeys(lists[1], "test"),
    }
    path = find_file(folder, "msd_id_to_tag_vector.cP")
    vectors = {_text(key): np.asarray(value).reshape(-1) for key, value in _load(path).items()}
    artists, clips = _artists(folder), _clips(folder)
    items, left_out = [], {}
    for track, split in splits.items():
        vector = vectors.get(track)
        if vector is None:
            left_out[track] = "no tags"
            continue
        if vector.shape != (len(tags),):
            raise DataError(f"{path}: {track} has {vector.size} numbers; wanted {len(tags)}")
        labels = tuple(f"{FAMILY}---{tags[place]}" for place in np.flatnonzero(vector))
        items.append(_item(track, labels, split, artists, clips.get(track)))
    return Collected(tuple(f"{FAMILY}---{tag}" for tag in tags), items, left_out, _told(artists))


def read_cals(folder: Path) -> Collected:
    """Read CALS: ``{train,valid,test}_ids.npy`` and ``..._binaries.npy`` [tracks, 50].

    Parameters
    ----------
    folder : Path
        With these files, or with ``splits``, or the repository's.

    Raises
    ------
    DataError
        One is missing, or not in this form.
    """
    artists, items = _artists(folder), []
    for split, name in _CALS_SPLITS.items():
        arrays = []
        for kind in ("ids", "binaries"):
            file = f"{name}_{kind}.npy"
            path = find_file(folder, file, f"splits/{file}", f"data/splits/{file}")
            try:
                arrays.append(np.load(path, allow_pickle=False))
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f"{path}: not an array of NumPy's ({error})") from None
        ids, binaries = arrays
        if ids.ndim != 1 or binaries.shape != (len(ids), len(CALS_TAGS)):
            raise DataError(
                f"{folder}: {name} has {list(ids.shape)} ids and {list(binaries.shape)} tags; "
                f"wanted [tracks] and [tracks, {len(CALS_TAGS)}]"
            )
        for track, row in zip(map(_text, ids.tolist()), binaries, strict=True):
            labels = tuple(f"{FAMILY}---{CALS_TAGS[place]}" for place in np.flatnonzero(row))
            items.append(_item(track, labels, split, artists, None))
    return Collected(tuple(f"{FAMILY}---{tag}" for tag in CALS_TAGS), items, notes=_told(artists))


def _item(
    track: str, labels: tuple[str, ...], split: str, artists: dict[str, str], clip: str | None
) -> Item:
    if len(track) < 5:
        raise DataError(f"{track!r} is no id of the Million Song Dataset; wanted one as TRAAAAW...")
    own = [f"{'/'.join(track[2:5])}/{track}.{ending}" for ending in ("mp3", "wav", "flac")]
    names = [clip, *own] if clip else own
    return Item(track, names[0], labels, artists.get(track, track), split, tuple(names[1:]))


def _artists(folder: Path) -> dict[str, str]:
    """Read ``unique_tracks.txt``, where it is: TRACK<SEP>SONG<SEP>ARTIST<SEP>TITLE."""
    path = folder / "unique_tracks.txt"
    if not path.is_file():
        return {}
    fields = (line.split("<SEP>") for line in read_lines(path))
    return {found[0]: f"artist/{found[2]}" for found in fields if len(found) == 4}


def _told(artists: dict[str, str]) -> tuple[str, ...]:
    if artists:
        return ()
    return (
        "no unique_tracks.txt found, which names the artists: each track is a group of its own, "
        "and intervals are narrower than they should be",
    )


def _clips(folder: Path) -> dict[str, str]:
    try:
        of_track = _load(find_file(folder, "MSD_id_to_7D_id.pkl"))
        paths = _load(find_file(folder, "7D_id_to_path.pkl"))
    except DataError:
        return {}
    named = {_text(key): _text(value) for key, value in paths.items()}
    found = {_text(key): named.get(_text(value)) for key, value in of_track.items()}
    return {key: value for key, value in found.items() if value}


def _names(path: Path) -> list[str]:
    found = _load(path)
    if not isinstance(found, list | tuple):
        raise DataError(f"{path}: has a {type(found).__name__}; wanted a list of ids")
    return [_text(one) for one in found]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_ALLOWED = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        *(
            (f"numpy.{core}.multiarray", name)
            for core in ("core", "_core")
            for name in ("_reconstruct", "scalar")
        ),
        ("_codecs", "encode"),
    }
)


class _PlainUnpickler(pickle.Unpickler):
    """Makes lists, dictionaries, text, numbers and arrays, and runs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="bytes").load()
    except (OSError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    except (pickle.UnpicklingError, KeyError, IndexError) as error:
        raise DataError(f"{path}: is no pickle of plain values ({error})") from None
