"""Which labels are classes, and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError


def most_frequent(
    counts: NDArray[np.integer], names: list[str], wanted: int | None
) -> NDArray[np.int64]:
    """Choose the labels that become classes.

    Parameters
    ----------
    counts : integers [labels]
        Tracks with each label; one that no track has is never chosen.
    names : list of str [labels]
        Of two equally frequent labels the one first in the alphabet is chosen.
    wanted : int, optional
        None: all.

    Returns
    -------
    int64 [classes]
        Chosen labels in class order: alphabetical, as in the published label lists.
    """
    alphabetical = sorted(range(len(names)), key=names.__getitem__)
    by_count = sorted(alphabetical, key=lambda label: -counts[label])
    chosen = [label for label in by_count if counts[label] > 0][:wanted]
    return np.array(sorted(chosen, key=names.__getitem__), np.int64)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read class names that somebody fixed.

    Parameters
    ----------
    path : Path
        ``.json``: a list of names, or a model's metadata with the list `classes`; any other
        file: text, one name per line, empty lines ignored.

    Raises
    ------
    DataError
        When the file is missing or unreadable, or names are missing or repeated.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of class names: {error}") from None
    names: object
    if path.suffix.lower() == ".json":
        try:
            names = json.loads(text)
        except ValueError as error:
            raise DataError(f"{path}: not JSON: {error}") from None
        if isinstance(names, dict):
            names = names.get("classes")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(
                f"{path}: wanted a JSON list of names, or an object with it as `classes`"
            )
    else:
        names = text.splitlines()
    labels = tuple(name.strip() for name in names if name.strip())
    repeated = sorted({name for name in labels if labels.count(name) > 1})
    if not labels or repeated:
        found = f"repeated: {', '.join(repeated)}" if repeated else "none"
        raise DataError(f"{path}: wanted class names, each once; found {found}")
    return labels
