"""What is to change in tags: from labels to fields, kept so that it can be undone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from ..files import write_whole
from ..reading.families import SEPARATOR
from ..results.path_text import path_of_text, path_text
from .tags import FIELDS, Values

ALL_LABELS = "*"

#: Field -> what model files call families of such labels.
_FAMILIES = {
    "genre": ("genre", "genres", "style", "styles"),
    "mood": ("mood", "moods", "mood/theme", "moods/themes", "theme", "themes"),
    "instrument": ("instrument", "instruments"),
}


@dataclass(frozen=True)
class Field:
    """A field, and the classes that answer it.

    Attributes
    ----------
    name : str
        One of `FIELDS`.
    classes : tuple of int
        Which of a model's classes.
    values : tuple of str
        What each of them is called in a tag.
    """

    name: str
    classes: tuple[int, ...]
    values: tuple[str, ...]

    def of(self, activations: npt.NDArray[np.floating], most: int, least: float) -> list[str]:
        """Name what a track is said to be, the strongest first."""
        own = activations[list(self.classes)]
        order = np.argsort(-own, kind="stable")
        return [self.values[index] for index in order.tolist() if own[index] >= least][:most]


@dataclass(frozen=True)
class Change:
    """What changes in a file.

    Attributes
    ----------
    file : str
        Its path.
    old, new : dict
        Field -> values; None where there are none.
    """

    file: str
    old: dict[str, Values]
    new: dict[str, Values]


def fields_of(
    asked: str, labels: Sequence[str], families: Sequence[str]
) -> tuple[list[Field], list[str]]:
    """Find the classes for fields.

    Parameters
    ----------
    asked : str
        ``genre,mood``: names of fields, with commas between; ``mood=MillionSong`` names the family
        that answers it, ``mood=*`` has all labels do so.
    labels : sequence of str
        Names of the classes.
    families : sequence of str
        What precedes ``---`` in them; empty where they answer one question, or say nothing of it.

    Returns
    -------
    fields : list of Field
        Those for which there are classes.
    missing : list of str
        For each of the others a line that says so.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        A field is none that can be written, or comes twice; a family that was named is not there.
    """
    fields: list[Field] = []
    missing = []
    names = [part.strip() for part in asked.split(",")]
    for part in names:
        name, named, family = part.partition("=")
        if name not in FIELDS:
            raise InvalidArgumentError(
                f"field {name!r} cannot be written; wanted: {', '.join(FIELDS)}, with commas "
                "between, each perhaps with =FAMILY"
            )
        if [other.partition("=")[0] for other in names].count(name) > 1:
            raise InvalidArgumentError(f"field {name!r} was asked for twice; wanted: once")
        if named and family not in (*families, ALL_LABELS):
            raise InvalidArgumentError(
                f"no family {family!r} found; the labels have: {', '.join(families) or 'none'}"
            )
        classes = _classes(name, family, labels, families)
        if classes:
            values = tuple(labels[index].rpartition(SEPARATOR)[2] for index in classes)
            fields.append(Field(name, classes, values))
        else:
            missing.append(
                f"{name}: no labels for it (families: {', '.join(families) or 'none'}); "
                f"{name}=FAMILY says which to take"
            )
    return fields, missing


def _classes(
    field: str, family: str, labels: Sequence[str], families: Sequence[str]
) -> tuple[int, ...]:
    if family == ALL_LABELS:
        return tuple(range(len(labels)))
    if not families:
        # Discogs' Genre---Style
        of_genres = field == "genre" and all(SEPARATOR in label for label in labels)
        return tuple(range(len(labels))) if of_genres else ()
    wanted = (
        (family,) if family else [one for one in families if one.casefold() in _FAMILIES[field]]
    )
    return tuple(
        index
        for index, label in enumerate(labels)
        if any(label.startswith(one + SEPARATOR) for one in wanted)
    )


def write_backup(path: Path, changes: Iterable[Change]) -> None:
    """Write what is to change, before anything does: a line of JSON for each file.

    Parameters
    ----------
    path : pathlib.Path
        A file that is not there.
    changes : iterable of Change
        What will be tried.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It is there: what was kept earlier is not written over.
    OSError
        It cannot be written.
    """
    if path.exists():
        raise InvalidArgumentError(
            f"{path_text(path)}: is there already; wanted for a backup: a name that is free"
        )
    lines = [
        json.dumps(
            {"file": path_text(change.file), "old": change.old, "new": change.new},
            ensure_ascii=False,
        )
        for change in changes
    ]
    text = "".join(line + "\n" for line in lines)
    write_whole(path, text.encode("utf-8", "backslashreplace"))


def read_backup(path: Path) -> list[Change]:
    """Read what `write_backup` wrote.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It did not write this file.
    OSError
        It cannot be read.
    """
    changes = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            told = json.loads(line)
            change = Change(path_of_text(told["file"]), told["old"], told["new"])
            _check_values(change.old)
            _check_values(change.new)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidArgumentError(
                f"{path_text(path)}: line {number} is none of a backup of `maest tag` ({error})"
            ) from error
        changes.append(change)
    return changes


def _check_values(fields: Any) -> None:
    for name, values in fields.items():
        if name not in FIELDS:
            raise ValueError(f"field {name!r}")
        if values is not None and not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name} is {values!r}")
