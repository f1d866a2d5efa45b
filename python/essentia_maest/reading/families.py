"""Classes that come in families, such as genres, instruments and metres: ``Metre---triple``.

A model whose classes answer several questions says so in its metadata; then the strongest answers
are named question by question. Discogs' ``Genre---Style`` answers one question only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ModelError

SEPARATOR = "---"
METADATA_KEY = "label_families"


def families_of(labels: Iterable[str], origin: str) -> tuple[str, ...]:
    """Give the families of labels.

    Parameters
    ----------
    labels : iterable of str
        ``Family---Name`` each.
    origin : str
        Where they are from, for messages.

    Returns
    -------
    tuple of str
        Each family once, in the order of the labels.

    Raises
    ------
    ModelError
        If a label has no family or no name.
    """
    found: dict[str, None] = {}
    for label in labels:
        family, _, name = label.partition(SEPARATOR)
        if not family or not name:
            raise ModelError(f"{origin}: found label {label!r}; wanted Family{SEPARATOR}Name")
        found[family] = None
    return tuple(found)


def checked_families(found: Any, labels: Sequence[str], origin: str) -> tuple[str, ...]:
    """Check what a model's metadata says of its families.

    Parameters
    ----------
    found
        The entry, None where there is none.
    labels : sequence of str
    origin : str
        For messages.

    Returns
    -------
    tuple of str
        In the order of the entry; empty if there is none.

    Raises
    ------
    ModelError
        If it is not a list of the labels' families.
    """
    if found is None or found == []:
        return ()
    wanted = families_of(labels, origin)
    if not isinstance(found, list) or sorted(map(str, found)) != sorted(wanted):
        raise ModelError(f"{origin}: {METADATA_KEY} is {found!r}; wanted {list(wanted)}")
    return tuple(map(str, found))


def strongest_by_family(
    activations: npt.NDArray[np.floating[Any]],
    labels: Sequence[str],
    families: Sequence[str],
    count: int,
    digits: int,
) -> dict[str, dict[str, float]]:
    """Name the classes of each family that are most present.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [classes].
    labels : sequence of str
        Names of the classes, with their families.
    families : sequence of str
    count : int
        How many to name of a family at the most.
    digits : int
        Of an activation.

    Returns
    -------
    dict
        Family -> name without family -> activation, the strongest first; equal ones in the order
        of `labels`.
    """
    found: dict[str, dict[str, float]] = {family: {} for family in families}
    split = _split(tuple(labels))
    for index in np.argsort(-activations, kind="stable").tolist():
        family, name = split[index]
        if len(found[family]) < count:
            found[family][name] = round(float(activations[index]), digits)
    return found


@lru_cache(maxsize=8)
def _split(labels: tuple[str, ...]) -> list[tuple[str, str]]:
    """Split labels into families and names: once, not for each of a collection's segments."""
    parted = (label.partition(SEPARATOR) for label in labels)
    return [(family, name) for family, _, name in parted]


def family_lines(strongest: dict[str, dict[str, float]]) -> list[str]:
    """Put what `strongest_by_family` gave into lines for a terminal, one for each family."""
    width = max(map(len, strongest), default=0)
    return [
        f"{family:{width}}  " + ", ".join(f"{name} {value:.2f}" for name, value in names.items())
        for family, names in strongest.items()
    ]
