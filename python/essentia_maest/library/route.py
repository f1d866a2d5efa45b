"""A way through a library of music: from one track to another in small steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError
from .neighbours import Neighbours

MOST_TRACKS = 1000
"""Of a way: three days of music."""

_NEAR_EACH_POINT = 32
#: So many tracks are looked at together at the most, if as many are not asked for.
_MOST_CANDIDATES = 2048
#: Nearer than this to opposite, there is no one arc.
_STRAIGHT = 1e-3
#: What a step between two tracks that are to be apart costs besides: more than any way does.
_TOGETHER = 1e3

Vectors = npt.NDArray[Any]
GroupsOf = Callable[[Sequence[int]], Sequence[object]]


def route(
    vectors: Vectors,
    search: Neighbours,
    begin: int,
    end: int,
    count: int,
    *,
    groups_of: GroupsOf | None = None,
) -> list[int]:
    """Find a way from one track to another.

    Candidates are the tracks nearest to points at equal distances on the arc between both. Ordered
    by how far they are on the way (angle to the begin over the sum of both angles), those are
    chosen whose steps, squared and added up, are smallest: even steps, no detours. That is found
    exactly, by dynamic programming. Each track comes once, and of the same audio one.

    Parameters
    ----------
    vectors : numpy.ndarray
        Shape [tracks, values].
    search : Neighbours
        Of `vectors`.
    begin, end : int
        Rows.
    count : int
        How many tracks, both ends among them. Fewer come where there are fewer.
    groups_of : callable, optional
        Rows -> a value each. Tracks of the same value do not follow each other, as far as that is
        possible; None is like nothing else.

    Returns
    -------
    list of int
        Rows, from `begin` to `end`.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        `count` is below 2 or above `MOST_TRACKS`, both ends are the same audio, or one has no
        direction.
    """
    if not 2 <= count <= MOST_TRACKS:
        raise InvalidArgumentError(f"n is {count}; 2 to {MOST_TRACKS} wanted")
    if search.same_audio(begin, end):
        raise InvalidArgumentError("begin and end are the same track; two different ones wanted")
    for row, name in ((begin, "begin"), (end, "end")):
        if not search.has_direction(row):
            raise InvalidArgumentError(
                f"the embedding of the {name} is all zero, or not finite: nothing is near to it"
            )
    ends = _directions(vectors[[begin, end]])
    rows = np.array([begin, *_candidates(search, ends, (begin, end), count), end], np.int64)
    directions = _directions(vectors[rows])
    angles = np.arccos(np.clip(directions @ ends.T, -1, 1))
    way = angles.sum(axis=1)
    on_the_way = np.divide(angles[:, 0], way, out=np.zeros(len(way)), where=way > 0)
    on_the_way[0], on_the_way[-1] = -np.inf, np.inf
    order = np.lexsort((rows, on_the_way))
    rows, directions = rows[order], directions[order]
    steps = np.arccos(np.clip(directions @ directions.T, -1, 1)) ** 2
    if groups_of is not None:
        steps[_together(groups_of(rows.tolist()))] += _TOGETHER
    return [int(rows[place]) for place in _cheapest(steps, min(count, len(rows)))]


def walk(rows: Sequence[int], count: int, *, groups_of: GroupsOf | None = None) -> list[int]:
    """Choose the first of rows that are ordered by nearness, those of a group not in a row.

    Parameters
    ----------
    rows : sequence of int
        The best first.
    count : int
        How many to choose.
    groups_of : callable, optional
        See `route`.

    Returns
    -------
    list of int
        The first comes first; each next is the best that is left and not of the group of the one
        before it, or the best that is left where there is none.
    """
    groups = list(groups_of(rows)) if groups_of is not None else [None] * len(rows)
    left = list(range(len(rows)))
    chosen: list[int] = []
    while left and len(chosen) < count:
        last = groups[chosen[-1]] if chosen else None
        apart = (place for place in left if last is None or groups[place] != last)
        chosen.append(next(apart, left[0]))
        left.remove(chosen[-1])
    return [rows[place] for place in chosen]


def _directions(vectors: Vectors) -> npt.NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    directions: npt.NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return directions


def _candidates(
    search: Neighbours, ends: npt.NDArray[np.float64], rows: tuple[int, int], count: int
) -> list[int]:
    """Give the tracks nearest to points on the arc: as many as are wanted, or all."""
    angle = float(np.arccos(np.clip(ends[0] @ ends[1], -1, 1)))
    shares = np.linspace(0, 1, min(count, 1 + _MOST_CANDIDATES // _NEAR_EACH_POINT))[:, None]
    points = ends[0] + shares * (ends[1] - ends[0])
    if 0 < angle < np.pi - _STRAIGHT:
        points = np.sin((1 - shares) * angle) * ends[0] + np.sin(shares * angle) * ends[1]
    points = points[np.linalg.norm(points, axis=1) > 0]
    near = _NEAR_EACH_POINT
    while True:
        nearest = search.nearest_to_each(points, near, leaving_out=rows)
        found = {row: None for some, _ in nearest for row in some.tolist()}
        if len(found) >= count - 2 or near >= len(search.searched):
            return list(found)
        near *= 2


def _together(groups: Sequence[object]) -> npt.NDArray[np.bool_]:
    """Tell which pairs are of the same group."""
    numbers: dict[object, int] = {}
    own = np.array(
        [
            -1 - place if group is None else numbers.setdefault(group, len(numbers))
            for place, group in enumerate(groups)
        ]
    )
    same: npt.NDArray[np.bool_] = own[:, None] == own[None, :]
    return same


def _cheapest(steps: npt.NDArray[np.float64], count: int) -> list[int]:
    """Choose `count` places from the first to the last, ascending, whose steps cost least."""
    steps = steps.copy()
    steps[np.tril_indices(len(steps))] = np.inf
    costs = np.full(len(steps), np.inf)
    costs[0] = 0
    before = []
    for _ in range(count - 1):
        ways = costs[:, None] + steps
        before.append(ways.argmin(axis=0))
        costs = ways[before[-1], np.arange(len(steps))]
    chosen = [len(steps) - 1]
    for back in reversed(before):
        chosen.append(int(back[chosen[-1]]))
    return chosen[::-1]
