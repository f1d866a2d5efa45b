"""Which files belong together: what is of one album must not be on both sides of a split."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..errors import InvalidArgumentError
from .examples import Array, Examples, named

COLUMN, FOLDER, NONE = ("column", "folder", "none")
GROUPINGS = (COLUMN, FOLDER, NONE)
"""By what the sheet (or the folders below those of the classes) tells; by the folder that a file is
in; not at all."""

ALIKE = 0.999
"""Centred cosine of two embeddings from which on two tracks are probably the same recording."""

_LEAK = (
    "If files of one album or artist are among them, the scores below are too high, as they tell "
    "albums apart. Wanted: a column group"
)


def groups_of(examples: Examples, grouping: str | None) -> tuple[list[int], list[str]]:
    """Tell the group of each track.

    Parameters
    ----------
    examples : Examples
    grouping : str or None
        One of `GROUPINGS`. None is "column" where there is one, else "folder" where every label is
        in several folders, else "none".

    Returns
    -------
    list of int
        Group of each track.
    list of str
        Warnings: what may leak from one side of a split to the other.

    Raises
    ------
    InvalidArgumentError
        The grouping is asked for and not told.
    """
    told = [file.group for file in examples.files]
    if grouping not in (None, *GROUPINGS):
        raise InvalidArgumentError(f"group is {grouping!r}; wanted: {', '.join(GROUPINGS)}")
    if grouping == COLUMN and not any(told):
        raise InvalidArgumentError("no group is told; wanted a column group, or another --group")
    folders = [os.path.dirname(place) for place in examples.places]
    if grouping is None and any(told):
        grouping = COLUMN
    warnings: list[str] = []
    if grouping is None:
        if _in_several(examples, folders):
            grouping = FOLDER
            warnings.append(
                f"groups are the {len(set(folders))} folders that the files are in; a column group "
                "tells albums or artists better"
            )
        else:
            grouping = NONE
            warnings.append(f"no groups are known: each file is dealt out by itself. {_LEAK}")
    if grouping == COLUMN:
        alone = [place for place, group in zip(examples.places, told, strict=True) if not group]
        if alone:
            warnings.append(f"{len(alone)} files have no group and are dealt out by themselves")
        names = [
            f"g {group}" if group else f"f {place}"
            for group, place in zip(told, examples.places, strict=True)
        ]
    else:
        names = folders if grouping == FOLDER else list(examples.places)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    groups = [numbers[name] for name in names]
    if grouping == NONE:
        warnings += _shared_folders(examples, folders)
    alike = _alike(examples, groups)
    if alike:
        warnings.append(
            "these sound the same and are in different groups; are they one recording? "
            + "; ".join(alike)
        )
    return groups, warnings


def _in_several(examples: Examples, folders: Sequence[str]) -> bool:
    names = np.array(folders)
    return all(
        len(set(names[column])) > 1 and len(set(names[~column])) > 1 for column in examples.truth.T
    )


def _shared_folders(examples: Examples, folders: Sequence[str]) -> list[str]:
    """Warn where a class is a folder: the scores may be about the folder, not about the label."""
    names = np.array(folders)
    alone = [
        name
        for name, column in zip(examples.classes, examples.truth.T, strict=True)
        if len(set(names[column])) == 1 and set(names[column]).isdisjoint(names[~column])
    ]
    if not alone:
        return []
    return [
        f"all files of {', '.join(map(repr, alone))} are in one folder each, where no other class "
        "is: what tells the folders apart (a composer, a loudness, a codec) looks like the label"
    ]


def _alike(examples: Examples, groups: Sequence[int]) -> list[str]:
    values = examples.embeddings.astype(np.float64)
    values = values - values.mean(axis=0)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    values /= np.where(lengths > 0, lengths, 1)
    numbers: Array = np.asarray(groups)
    found = []
    for row in range(len(values) - 1):
        cosines = values[row + 1 :] @ values[row]
        for other in np.flatnonzero((cosines > ALIKE) & (numbers[row + 1 :] != numbers[row])):
            pair = [examples.files[row].path, examples.files[row + 1 + other].path]
            found.append(named(pair))
    more = len(found) - 5
    return found[:5] + ([f"and {more} more pairs"] if more > 0 else [])
