"""Where tracks are on the map: in two dimensions, near to what is like them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core import available_cpus
from ..library.neighbours import Neighbours
from .options import MAPS

NEIGHBOURS = 15
"""So many of a track's neighbours a map by neighbours tries to keep near."""

#: With fewer tracks than this, neighbours say nothing that the directions do not.
_FEWEST = 12
#: From so many on, threads that wait for each other take less time than they save.
_FOR_THREADS = 5000
_STEPS = (250, 500)
#: Of more tracks, so many are laid out first, spread evenly; others are put where those are that
#: they are nearest to, and then all are moved for some steps.
_MOST_FIRST = 15_000
_NEAREST_FIRST = 3
_STEPS_OF_ALL = 50
_BLOCK = 512

Places = npt.NDArray[np.float32]


def places_on_map(
    directions: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    cosines: npt.NDArray[np.float32],
    kind: str = MAPS[0],
) -> Places:
    """Lay out a map.

    Parameters
    ----------
    directions : numpy.ndarray
        What `in_main_directions` gave, shape [tracks, directions].
    rows, cosines : numpy.ndarray
        What `neighbours_of_each` gave, for at least `NEIGHBOURS` neighbours if there are so many.
    kind : {"tsne", "pca"}
        How.

    Returns
    -------
    numpy.ndarray
        float32, shape [tracks, 2], within 0 and 1; NaN for tracks without neighbours.

    Raises
    ------
    ImportError
        ``"tsne"`` wants openTSNE, which is not installed.

    Notes
    -----
    ``"tsne"`` is t-SNE (van der Maaten and Hinton 2008; Poličar et al., openTSNE) begun from the
    principal components, with each track drawn to its nearest neighbours alike (Böhm, Berens and
    Kobak 2022). Of many tracks, some are laid out so, the others placed among them, and all moved a
    little. Nothing in it is drawn by lot: the same tracks give the same map.
    """
    found = np.full((len(directions), 2), np.nan, np.float32)
    there = np.flatnonzero(rows[:, 0] >= 0) if rows.shape[1] else np.arange(0)
    if not len(there):
        return found
    flat = _principal(directions[there])
    if kind == "tsne" and len(there) >= _FEWEST:
        order = np.full(len(directions), -1, np.int64)
        order[there] = np.arange(len(there))
        # Of few tracks, fifteen are not near.
        count = min(NEIGHBOURS, rows.shape[1], round(len(there) ** 0.5))
        near = order[rows[there, :count]], cosines[there, :count]
        if len(there) <= _MOST_FIRST:
            flat = _by_neighbours(flat, *near)
        else:
            flat = _moved(_by_some(directions[there]), *near, steps=(0, _STEPS_OF_ALL))
    low, high = flat.min(axis=0), flat.max(axis=0)
    span = float((high - low).max()) or 1.0
    found[there] = 0.5 + (flat - (low + high) / 2) / span
    return found


def _principal(directions: npt.NDArray[np.float32]) -> Places:
    """Give the first two principal components, shape [tracks, 2]."""
    centred = directions.astype(np.float64) - directions.mean(axis=0, dtype=np.float64)
    _, columns = np.linalg.eigh(centred.T @ centred)
    axes = columns[:, ::-1][:, :2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    flat = np.zeros((len(directions), 2), np.float32)
    flat[:, : axes.shape[1]] = centred @ (axes * np.where(largest < 0, -1, 1))
    return flat


def _by_some(directions: npt.NDArray[np.float32]) -> Places:
    """Lay out some of many tracks, and put the others among those that they are nearest to."""
    first = np.arange(0, len(directions), -(-len(directions) // _MOST_FIRST))
    searched = Neighbours(directions[first])
    rows, cosines = searched.of_each(NEIGHBOURS)
    places = _by_neighbours(_principal(directions[first]), rows, cosines)
    result = np.empty((len(directions), 2), np.float32)
    for begin in range(0, len(directions), _BLOCK):
        asked = directions[begin : begin + _BLOCK]
        near = [found for found, _ in searched.nearest_to_each(asked, _NEAREST_FIRST)]
        result[begin : begin + len(asked)] = places[np.array(near)].mean(axis=1)
    result[first] = places
    return result


def _by_neighbours(
    begin: Places, rows: npt.NDArray[np.int64], cosines: npt.NDArray[np.float32]
) -> Places:
    # As openTSNE rescales what it begins with.
    return _moved(begin / (begin[:, 0].std() or 1.0) * 1e-4, rows, cosines, _STEPS)


def _moved(
    begin: npt.NDArray[np.floating[Any]],
    rows: npt.NDArray[np.int64],
    cosines: npt.NDArray[np.float32],
    steps: tuple[int, int],
) -> Places:
    """Move each track to its neighbours, and away from others: in early and in late steps."""
    if find_spec("openTSNE") is None:
        raise ImportError(
            "a map by neighbours wants openTSNE: pip install 'essentia-maest[report]', or take "
            "--map pca"
        )
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import Uniform
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    index = PrecomputedNeighbors(rows, np.sqrt(np.maximum(2 - 2 * cosines, 0)))
    affinities = Uniform(knn_index=index, k_neighbors=rows.shape[1])
    early, late = steps
    threads = available_cpus() if len(rows) >= _FOR_THREADS else 1
    grown = TSNEEmbedding(begin.astype(np.float64), affinities, n_jobs=threads)
    if early:
        grown = grown.optimize(early, exaggeration=12, momentum=0.5)
        # It may have drawn tracks that are near to one another (an album, or all of a small
        # collection) onto one spot, where nothing moves them apart again: a step away from it.
        grown += begin
    grown = grown.optimize(late, momentum=0.8)
    return np.asarray(grown, np.float32)
