"""What a head is to be fitted on, and what of a track it is to be given: means, or segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest import Results
from essentia_maest.heads.examples import Examples
from essentia_maest.heads.fitting import fit_head, folds_of, probabilities_of
from essentia_maest.heads.scores import Score, log_loss_of, scores_of
from essentia_maest.results.parquet import column_values, column_vectors

Array = NDArray[Any]


@dataclass(frozen=True)
class Pooling:
    """One way, and what it is worth in cross-validation.

    Attributes
    ----------
    fitted, given : str
        "track means" or "segments"; of what a head is given segment by segment, predictions are
        averaged.
    scores : dict of str to Score
    log_loss : float
    """

    fitted: str
    given: str
    scores: dict[str, Score]
    log_loss: float


def compare_poolings(
    examples: Examples, groups: Sequence[int], results: Results, seed: int
) -> list[Pooling]:
    """Score heads fitted on track means and on segments, given means and segments.

    Parameters
    ----------
    examples : Examples
    groups : sequence of int
        Group of each track.
    results : Results
        Where the segments are.
    seed : int

    Returns
    -------
    list of Pooling
    """
    truth, kind = examples.truth, examples.kind
    segments, owners = _segments_of(examples, results)
    found = {
        (fitted, given): np.zeros(truth.shape)
        for fitted in ("track means", "segments")
        for given in ("track means", "segments")
    }
    numbers = np.asarray(groups)
    for train, test in folds_of(truth, groups, seed):
        inside = np.isin(owners, train)
        by_track, _ = fit_head(
            examples.embeddings[train], truth[train], numbers[train].tolist(), kind, seed
        )
        # A group of segments stays one: those of a track are no more sure than the track.
        by_segment, _ = fit_head(
            segments[inside],
            truth[owners[inside]],
            numbers[owners[inside]].tolist(),
            kind,
            seed,
        )
        for fitted, head in (("track means", by_track), ("segments", by_segment)):
            means = probabilities_of(head.logits(examples.embeddings[test]), kind)
            found[fitted, "track means"][test] = means
            for row in test:
                own = probabilities_of(head.logits(segments[owners == row]), kind)
                found[fitted, "segments"][row] = own.mean(axis=0)
    return [
        Pooling(
            fitted,
            given,
            scores_of(truth, values, groups, kind, seed),
            log_loss_of(truth, values, kind),
        )
        for (fitted, given), values in found.items()
    ]


def _segments_of(examples: Examples, results: Results) -> tuple[Array, Array]:
    """Give the segments of the examples' tracks, and the position of each one's track."""
    rows = {file: row for row, file in enumerate(results.files)}
    ids = results.ids
    position = {int(ids[rows[place]]): index for index, place in enumerate(examples.places)}
    tracks = column_values(results.segments, "track")
    chosen = [row for row, track in enumerate(tracks) if track in position]
    values = np.asarray(column_vectors(results.segments, "embedding"), np.float32)
    return values[chosen], np.array([position[tracks[row]] for row in chosen])
