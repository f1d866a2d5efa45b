"""Which tracks make an epoch: a balanced draw (paper, section 3.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_counts(
    classes: int, class_index: NDArray[np.integer], weight: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Count how often each class is given.

    Parameters
    ----------
    classes : int
    class_index : ndarray
        [labels] the class of each label of each track, all tracks in a row.
    weight : ndarray
        [labels] 1, or less for a soft label, which counts for as much.

    Returns
    -------
    ndarray
        [classes] float64. What is not known of a track counts for nothing.
    """
    counts = np.bincount(class_index, weights=weight, minlength=classes)
    return counts.astype(np.float64, copy=False)


def track_weights(
    row_offsets: NDArray[np.integer],
    class_index: NDArray[np.integer],
    weight: NDArray[np.floating],
    classes: int,
    offset: float = 100.0,
) -> NDArray[np.float64]:
    """Weigh each track by the inverse frequencies of its labels, summed.

    Parameters
    ----------
    row_offsets : ndarray
        [tracks + 1] where each track's labels begin; the last is the number of labels.
    class_index, weight : ndarray
        [labels] as `label_counts` takes.
    classes : int
    offset : float
        Added to each count (reference: 100), so that a class with a handful of tracks is not
        in every epoch.

    Returns
    -------
    ndarray
        [tracks] float64. Tracks with none of the labels weigh as if that were a label of its own
        (reference: has no such tracks).
    """
    counts = label_counts(classes, class_index, weight) + offset
    # A class without any label is never looked up; its count may be 0.
    inverse = np.divide(1000.0, counts, out=np.zeros(classes), where=counts > 0)
    lengths = np.diff(row_offsets)
    track = np.repeat(np.arange(len(lengths)), lengths)
    sums = np.bincount(track, weights=inverse[class_index] * weight, minlength=len(lengths))
    unlabelled = lengths == 0
    if unlabelled.any():
        sums[unlabelled] = 1000.0 / (np.count_nonzero(unlabelled) + offset)
    return sums.astype(np.float64, copy=False)


def draw_tracks(
    weights: NDArray[np.float64], tracks: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw tracks one after the other, each by its weight among those still left.

    Parameters
    ----------
    weights : ndarray
        [n] float64, 0 or more; 0 is never drawn.
    tracks : int
        How many; fewer come back when fewer have weight.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray
        [tracks] int64 positions in `weights`, each at most once, shuffled: as drawn, the rare
        labels would all come early in the epoch.

    Notes
    -----
    The smallest of ``exponential / weight`` is distributed as such a sequence of draws (Efraimidis
    and Spirakis, 2006): one pass over all tracks, whatever the number drawn.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        keys = generator.standard_exponential(len(weights)) / weights
    tracks = min(tracks, int(np.count_nonzero(weights)))
    if tracks == len(weights):
        drawn = np.arange(tracks, dtype=np.int64)
    else:
        drawn = np.sort(np.argpartition(keys, tracks)[:tracks])
    generator.shuffle(drawn)
    return drawn.astype(np.int64, copy=False)


def draw_repeatedly(
    weights: NDArray[np.float64], tracks: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw tracks as often as their weights say: balanced, however few there are.

    Parameters
    ----------
    weights : ndarray
        [n] float64, 0 or more, one at least above; 0 is never drawn.
    tracks : int
        How many draws.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray
        [tracks] int64 positions in `weights`, shuffled. Each comes as often as its share of the
        weights times `tracks`, rounded up or down (systematic sampling: Madow, 1949): less chance
        than in draws that know nothing of each other.
    """
    order = generator.permutation(np.flatnonzero(weights))
    ends = np.cumsum(weights[order])
    places = (np.arange(tracks) + generator.random()) * (ends[-1] / tracks)
    # Rounding may put the last place past the end.
    found = np.minimum(np.searchsorted(ends, places, side="right"), len(order) - 1)
    drawn: NDArray[np.int64] = order[found].astype(np.int64, copy=False)
    generator.shuffle(drawn)
    return drawn
