"""What a data set says about itself: ``dataset.json``, written last, so where it is, all is."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essentia_maest.files import write_json

from ..errors import DataError
from .places import read_bytes
from .shards import FORMAT, FRONT_END

DESCRIPTION = "dataset.json"
INDEX = "index.parquet"


@dataclass(frozen=True)
class Description:
    """The constants of a data set.

    Attributes
    ----------
    classes : list of str
        In class order.
    mean, std : float
        Over all mel values of the training split.
    seconds, shortest_seconds : float
        What was cut from the middle of a track, and the shortest track taken.
    tracks, frames : int
        In all.
    splits : dict
        Tracks by split.
    refused : dict
        Tracks left out, by reason.
    shard_bytes : list of int
        Size of each shard, so that one cut short is noticed.
    index_bytes : int
        Size of the index.
    audio_folder : str
        Where relative audio paths start.
    """

    classes: list[str]
    mean: float
    std: float
    seconds: float
    shortest_seconds: float
    tracks: int
    frames: int
    splits: dict[str, int]
    refused: dict[str, int]
    shard_bytes: list[int]
    index_bytes: int
    audio_folder: str


_KINDS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int),
    "float": lambda value: isinstance(value, (float, int)),
    "list[str]": lambda value: isinstance(value, list) and _all_are(value, str),
    "list[int]": lambda value: isinstance(value, list) and _all_are(value, int),
    "dict[str, int]": lambda value: isinstance(value, dict) and _all_are(value.values(), int),
}


def _all_are(values: Iterable[Any], kind: type) -> bool:
    return all(isinstance(value, kind) for value in values)


def write_description(folder: Path, description: Description) -> None:
    """Write ``dataset.json``, whole or not at all."""
    content = {"format": FORMAT, "front_end": FRONT_END, **dataclasses.asdict(description)}
    write_json(folder / DESCRIPTION, content)


def read_description(folder: Path) -> Description:
    """Read ``dataset.json``.

    Raises
    ------
    DataError
        It is missing, damaged, or of another version or front end.
    """
    path = folder / DESCRIPTION
    try:
        content = json.loads(read_bytes(path))
    except FileNotFoundError:
        raise DataError(
            f"{folder}: no {DESCRIPTION} in it; wanted a data set that "
            "`python -m training spectrograms` has finished"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: wanted a JSON object, found {type(content).__name__}")
    for name, wanted in {"format": FORMAT, "front_end": FRONT_END}.items():
        if (found := content.pop(name, None)) != wanted:
            raise DataError(f"{path}: {name} is {found!r}; wanted {wanted!r}")
    _check_types(path, content)
    description = Description(**content)
    if not math.isfinite(description.mean) or not 0 < description.std < math.inf:
        raise DataError(f"{path}: mean {description.mean}, std {description.std} are not usable")
    return description


def _check_types(path: Path, content: dict[str, Any]) -> None:
    fields = {field.name: str(field.type) for field in dataclasses.fields(Description)}
    if fields.keys() != content.keys():
        missing, unknown = fields.keys() - content.keys(), content.keys() - fields.keys()
        raise DataError(f"{path}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name, kind in fields.items():
        if not _KINDS[kind](content[name]):
            raise DataError(f"{path}: {name} is {content[name]!r:.100}; wanted {kind}")
