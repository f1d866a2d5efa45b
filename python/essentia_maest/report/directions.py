"""Embeddings by their main directions: a few values for each track, nearly the same angles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

DIRECTIONS = 128
"""So many are kept."""

#: From so many tracks, spread evenly, the directions are found.
_MOST_SAMPLED = 20_000
_BLOCK = 2048

Vectors = npt.NDArray[np.float32]


def unit_blocks(vectors: Vectors) -> Iterator[tuple[int, Vectors]]:
    """Give vectors at length 1, some at a time: all at once would take their memory again.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape [tracks, values]. Those that are all zero, or not finite, become zero.

    Yields
    ------
    tuple
        Where the block begins, and the block.
    """
    for begin in range(0, len(vectors), _BLOCK):
        block = vectors[begin : begin + _BLOCK].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(block, axis=1, keepdims=True)
        usable = np.isfinite(lengths) & (lengths > 0)
        scaled = np.divide(block, lengths, out=np.zeros_like(block), where=usable)
        yield begin, scaled.astype(np.float32)


def in_main_directions(vectors: Vectors, count: int = DIRECTIONS) -> Vectors:
    """Tell vectors, at length 1, by the directions in which they reach farthest.

    Products of two vectors stay what they were, but for what lies in the directions left out; with
    no more tracks than directions they stay exactly so.

    Parameters
    ----------
    vectors : numpy.ndarray
        float32, shape [tracks, values].
    count : int
        How many directions; fewer where there are fewer tracks or values.

    Returns
    -------
    numpy.ndarray
        float32, shape [tracks, directions]: the first is the strongest.

    Notes
    -----
    Principal components without centring (a truncated SVD), since the cosine is not centred. Signs
    are such that the largest weight of each direction is positive: the same vectors give the same
    numbers.
    """
    tracks, values = vectors.shape
    count = min(count, tracks, values)
    step = max(1, tracks // _MOST_SAMPLED)
    found = _directions(vectors[::step], count)
    result = np.empty((tracks, found.shape[1]), np.float32)
    for begin, block in unit_blocks(vectors):
        result[begin : begin + len(block)] = block @ found
    return result


def _directions(sample: Vectors, count: int) -> Vectors:
    """Find the main directions: shape [values, count]."""
    tracks, values = sample.shape
    if tracks <= values:
        whole = np.concatenate([sample[:0]] + [block for _, block in unit_blocks(sample)])
        _, _, rows = np.linalg.svd(whole.astype(np.float64), full_matrices=False)
        found = rows.T[:, :count]
    else:
        products = np.zeros((values, values))
        for _, block in unit_blocks(sample):
            products += block.T @ block
        _, columns = np.linalg.eigh(products)
        found = columns[:, ::-1][:, :count]
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], axis=0)
    signed: Vectors = (found * np.where(largest < 0, -1, 1)).astype(np.float32)
    return signed
