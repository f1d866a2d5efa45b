"""The neighbours of every track: found by main directions, ranked by whole embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..library.neighbours import Neighbours

#: So many are looked at for each track, so that the nearest are among them.
_CANDIDATES = 40
_BLOCK = 256

Rows = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


def neighbours_of_each(
    vectors: Vectors, directions: Vectors, audio: Sequence[str], count: int
) -> tuple[Rows, Vectors]:
    """Find the tracks that are nearest to each.

    Every pair of whole embeddings would be compared in hours where there are 1e5 tracks: candidates
    come from all pairs by main directions, and their order from whole embeddings.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape [tracks, values].
    directions : numpy.ndarray
        What `in_main_directions` gave of them.
    audio : sequence of str
        `audio_hash` of each: copies of one track are no neighbours of each other.
    count : int
        How many neighbours; fewer where there are fewer tracks.

    Returns
    -------
    rows : numpy.ndarray
        int64, shape [tracks, neighbours], the nearest first; -1 for tracks whose embedding has no
        direction.
    cosines : numpy.ndarray
        float32, of the same shape; NaN there.
    """
    rows, cosines = Neighbours(directions, audio).of_each(max(count, _CANDIDATES))
    scales = _scales(vectors)
    known = np.flatnonzero((rows[:, 0] >= 0) if rows.shape[1] else np.zeros(len(rows), bool))
    for asked in np.array_split(known, 1 + len(known) // _BLOCK):
        near = rows[asked]
        exact = np.einsum(
            "tv,tnv->tn",
            vectors[asked] * scales[asked, None],
            vectors[near] * scales[near][..., None],
            optimize=True,
        )
        order = np.argsort(-exact, axis=1, kind="stable")
        rows[asked] = np.take_along_axis(near, order, axis=1)
        cosines[asked] = np.take_along_axis(exact, order, axis=1)
    return rows[:, :count], cosines[:, :count]


def _scales(vectors: Vectors) -> Vectors:
    """Give what each vector is multiplied by to be of length 1."""
    lengths = np.ones(len(vectors))
    for begin in range(0, len(vectors), 1 << 12):
        part = vectors[begin : begin + (1 << 12)].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths[begin : begin + len(part)] = np.linalg.norm(part, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scales: Vectors = (1 / lengths).astype(np.float32)
    return scales
