"""What a model says of some tracks, as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.tracks import Tracks, family_of
from training.errors import DataError

STRONGEST: Mapping[str, int] = MappingProxyType(
    {"MagnaTagATune": 3, "MillionSong": 3, "Genre": 1, "Instrument": 3, "Tempo": 1, "Metre": 1}
)
"""Families listed, in this order, and how many of each one's strongest classes; others follow."""

_OF_OTHERS = 3

_ARTIST = "artist/"


def spread(names: Sequence[str], groups: Sequence[str], count: int) -> list[int]:
    """Choose tracks of as many groups, and as many pieces of each, as may be.

    Parameters
    ----------
    names : sequence of str
        Ids, ``PIECE-NUMBER`` for an excerpt.
    groups : sequence of str
        Of each, its artist or work.
    count : int
        How many; fewer if there are no more.

    Returns
    -------
    list of int
        Positions in `names`: each piece once before any twice, and of these a piece of every group
        before a second of any.
    """
    pieces: Counter[str] = Counter()  # of a group
    excerpts: Counter[tuple[str, str]] = Counter()  # of a piece
    turns = []
    for position, (name, group) in enumerate(zip(names, groups, strict=True)):
        piece = (group, name.rpartition("-")[0])
        pieces[group] += piece not in excerpts
        turns.append((excerpts[piece], pieces[group], position))
        excerpts[piece] += 1
    return [position for _, _, position in sorted(turns)[:count]]


def listing(
    tracks: Tracks,
    activations: NDArray[np.floating],
    classes: Sequence[str],
    *,
    wanted: Sequence[str],
    strongest: Mapping[str, int] = STRONGEST,
) -> str:
    """List the strongest classes of each family, track by track.

    Parameters
    ----------
    tracks : Tracks
    activations : float [tracks, classes]
    classes : sequence of str
        The model's; a family of `strongest` that they lack has no column, one that is not in
        `strongest` comes after those that are, with three classes.
    wanted : sequence of str
        Ids of the tracks to list, in this order.
    strongest : mapping of str to int
        Family -> how many of its classes.

    Returns
    -------
    str
        A Markdown table.

    Raises
    ------
    DataError
        When sizes do not fit, or a wanted id is no track's.
    """
    if activations.shape != (len(tracks), len(classes)):
        raise DataError(
            f"activations are {list(activations.shape)}; wanted [{len(tracks)} tracks, "
            f"{len(classes)} classes]"
        )
    families = np.array([family_of(name) for name in classes])
    others = {family: _OF_OTHERS for family in families.tolist() if family not in strongest}
    columns = {
        family: (np.flatnonzero(families == family).tolist(), count)
        for family, count in {**strongest, **others}.items()
        if family in families
    }
    lines = [_row(["track", *columns]), "|" + "-|" * (len(columns) + 1)]
    for index in _rows(tracks, wanted):
        cells = [
            _strongest(activations[index, members], [classes[member] for member in members], count)
            for members, count in columns.values()
        ]
        lines.append(_row([_describe(tracks, index), *cells]))
    return "\n".join(lines) + "\n"


def _rows(tracks: Tracks, wanted: Sequence[str]) -> list[int]:
    found = pc.index_in(pa.array(wanted, pa.string()), tracks.table["id"].combine_chunks())
    missing = [name for name, row in zip(wanted, found.to_pylist(), strict=True) if row is None]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(wanted)} wanted ids are no track's, for instance "
            f"{missing[0]!r}"
        )
    rows: list[int] = found.to_pylist()
    return rows


def _describe(tracks: Tracks, index: int) -> str:
    """Name a track by its id, and by its artist where the group says who it is."""
    group = tracks.table["group"][index].as_py()
    name: str = tracks.table["id"][index].as_py()
    return f"{name} ({group.removeprefix(_ARTIST)})" if group.startswith(_ARTIST) else name


def _strongest(activations: NDArray[np.floating], classes: Sequence[str], count: int) -> str:
    order = np.argsort(-activations, kind="stable")[:count]
    return ", ".join(
        f"{classes[index].partition('---')[2]} {activations[index]:.2f}" for index in order
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
