"""Where tracks are on the map: in two dimensions, near to what is like them."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from .._core import available_cpus
from .options import MAPS

NEIGHBOURS = 15
"""So many of a track's neighbours a map by neighbours tries to keep near."""

#: With fewer tracks than this, neighbours say nothing that the directions do not.
_FEWEST = 12
#: From so many on, threads that wait for each other take less time than they save.
_FOR_THREADS = 5000
_STEPS = (250, 500)

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
    Kobak 2022). Nothing in it is drawn by lot: the same tracks give the same map.
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
        flat = _by_neighbours(flat, order[rows[there, :count]], cosines[there, :count])
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


def _by_neighbours(
    begin: Places, rows: npt.NDArray[np.int64], cosines: npt.NDArray[np.float32]
) -> Places:
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
    # As openTSNE rescales what it begins with.
    small = begin / (begin[:, 0].std() or 1.0) * 1e-4
    early, late = _STEPS
    threads = available_cpus() if len(rows) >= _FOR_THREADS else 1
    grown = TSNEEmbedding(small.astype(np.float64), affinities, n_jobs=threads)
    grown = grown.optimize(early, exaggeration=12, momentum=0.5)
    grown = grown.optimize(late, momentum=0.8)
    return np.asarray(grown, np.float32)
