"""Tags over time of tracks, in few bytes: the labels that change most, in steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..library.ranks import LEAST_ACTIVATION
from ..results.opened import SegmentPredictions
from .packed import in_steps

MOST_LABELS = 8
"""So many labels are kept of a track: of those that are heard, the ones that change most."""

MOST_COLUMNS = 64
"""In so many columns at the most: longer tracks have the mean of segments in each."""


@dataclass(frozen=True)
class TagsOverTime:
    """What a track is like from one time to the next.

    Attributes
    ----------
    starts : numpy.ndarray
        float32, shape [columns], s: where each column begins.
    labels : numpy.ndarray
        uint16, shape [labels]: which, the strongest first.
    values : numpy.ndarray
        uint8, shape [labels, columns]: activations in steps of 1/255.
    """

    starts: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint16]
    values: npt.NDArray[np.uint8]


def tags_over_time(
    ids: Sequence[int], parts: Iterable[SegmentPredictions]
) -> dict[int, TagsOverTime]:
    """Collect tags over time.

    Parameters
    ----------
    ids : sequence of int
        `id` of the tracks of which they are wanted.
    parts : iterable of SegmentPredictions
        What `Results.segment_predictions` gives. No more of it is read than is wanted.

    Returns
    -------
    dict of int to TagsOverTime
        Of those that have segments.
    """
    missing = set(ids)
    found: dict[int, TagsOverTime] = {}
    if not missing:
        return found
    for part in parts:
        tracks = part.tracks
        begins = np.flatnonzero(np.concatenate([[True], tracks[1:] != tracks[:-1]])[: len(tracks)])
        for begin, end in zip(begins, [*begins[1:], len(tracks)], strict=True):
            track = int(tracks[begin])
            if track in missing:
                found[track] = _of_track(part.starts[begin:end], part.predictions[begin:end])
                missing.discard(track)
        if not missing:
            break
    return found


def _of_track(
    starts: npt.NDArray[np.float64], activations: npt.NDArray[np.float32]
) -> TagsOverTime:
    starts, activations = _fewer(starts, np.nan_to_num(activations))
    heard = np.flatnonzero(activations.max(axis=0) >= LEAST_ACTIVATION)
    changes, means = activations[:, heard].std(axis=0), activations[:, heard].mean(axis=0)
    kept = heard[np.lexsort((heard, -means, -changes))[:MOST_LABELS]]
    kept = kept[np.argsort(-activations[:, kept].mean(axis=0), kind="stable")]
    return TagsOverTime(
        starts.astype(np.float32),
        kept.astype(np.uint16),
        in_steps(activations[:, kept].T, np.uint8),
    )


def _fewer(
    starts: npt.NDArray[np.float64], activations: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    count = len(starts)
    if count <= MOST_COLUMNS:
        return starts, activations
    begins = np.arange(MOST_COLUMNS) * count // MOST_COLUMNS
    sizes = np.diff(begins, append=count)
    means = np.add.reduceat(activations, begins, axis=0) / sizes[:, None]
    return starts[begins], means.astype(np.float32)
