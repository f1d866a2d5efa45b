"""The balanced draw: its weights, and its distribution against one draw after the other."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from scipy import stats

from training.recipe.randomness import Purpose, numpy_generator
from training.recipe.sampler import draw_repeatedly, draw_tracks, label_counts, track_weights


def generator(*keys: int) -> np.random.Generator:
    return numpy_generator(0, Purpose.SAMPLING, *keys)


def set_probabilities(weights: np.ndarray, tracks: int) -> dict[frozenset[int], float]:
    """Probability of every set that drawing one after the other can give."""
    found: dict[frozenset[int], float] = {}
    for order in itertools.permutations(range(len(weights)), tracks):
        left, probability = weights.sum(), 1.0
        for track in order:
            probability *= weights[track] / left
            left -= weights[track]
        found[frozenset(order)] = found.get(frozenset(order), 0.0) + probability
    return found


@pytest.mark.parametrize("tracks", [1, 2, 3])
def test_sets_are_drawn_as_often_as_in_single_draws(tracks: int) -> None:
    weights = np.array([0.1, 5.0, 1.0, 0.5, 2.0])
    expected = set_probabilities(weights, tracks)
    draws = 20_000
    counts = dict.fromkeys(expected, 0)
    for draw in range(draws):
        counts[frozenset(draw_tracks(weights, tracks, generator(draw)).tolist())] += 1
    observed = [counts[key] for key in expected]
    assert stats.chisquare(observed, draws * np.array(list(expected.values()))).pvalue > 1e-3


def test_positions_in_the_epoch_do_not_depend_on_weight() -> None:
    weights = np.array([100.0, 1.0, 1.0, 1.0])
    first = [int(draw_tracks(weights, 4, generator(draw))[0]) for draw in range(4000)]
    assert stats.chisquare(np.bincount(first, minlength=4)).pvalue > 1e-3


def test_every_epoch_differs_and_is_repeatable() -> None:
    weights = np.linspace(0.1, 1.0, 1000)
    one, again, other = (draw_tracks(weights, 100, generator(epoch)) for epoch in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(np.sort(one), np.sort(other))


def test_no_track_twice_and_none_without_weight() -> None:
    weights = np.tile([0.0, 1.0, 2.0], 100)
    drawn = draw_tracks(weights, 150, generator())
    assert drawn.dtype == np.int64
    assert len(np.unique(drawn)) == 150
    assert (drawn % 3 != 0).all()


def test_an_epoch_is_shorter_when_there_are_fewer_tracks() -> None:
    assert sorted(draw_tracks(np.array([1.0, 0.0, 3.0]), 10, generator())) == [0, 2]
    assert sorted(draw_tracks(np.array([1.0, 2.0, 3.0]), 10, generator())) == [0, 1, 2]
    assert len(draw_tracks(np.zeros(3), 10, generator())) == 0


def test_weights_are_the_references() -> None:
    # Tracks with labels {0}, {0, 1}, none, {2 softly}; class 3 has none.
    offsets, classes = np.array([0, 1, 3, 3, 4]), np.array([0, 0, 1, 2], np.int32)
    weight = np.array([1.0, 1.0, 1.0, 0.25], np.float32)
    assert label_counts(4, classes, weight).tolist() == [2.0, 1.0, 0.25, 0.0]
    expected = [1000 / 102, 1000 / 102 + 1000 / 101, 1000 / 101, 0.25 * 1000 / 100.25]
    np.testing.assert_allclose(track_weights(offsets, classes, weight, 4), expected)


def test_without_offset_every_class_is_drawn_alike() -> None:
    sizes = [900, 90, 10]
    classes = np.repeat(np.arange(3), sizes).astype(np.int32)
    offsets = np.arange(len(classes) + 1)
    weights = track_weights(offsets, classes, np.ones(len(classes)), 4, offset=0.0)
    drawn = [classes[draw_tracks(weights, 1, generator(draw))[0]] for draw in range(3000)]
    assert stats.chisquare(np.bincount(drawn, minlength=3)).pvalue > 1e-3


def test_an_epoch_of_millions_of_tracks_takes_a_moment() -> None:
    tracks = 1_000_000
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 400, 2 * tracks).astype(np.int32)
    offsets = np.arange(0, 2 * tracks + 1, 2)
    began = time.process_time()
    weights = track_weights(offsets, classes, np.ones(2 * tracks, np.float32), 400)
    drawn = draw_tracks(weights, 200_000, generator())
    assert time.process_time() - began < 2.0
    assert len(np.unique(drawn)) == 200_000


@pytest.mark.parametrize("tracks", [1, 7, 100, 1000])
def test_repeated_draws_are_balanced_in_the_smallest_set(tracks: int) -> None:
    """Each track as often as its share of the weights says, rounded up or down."""
    classes = np.repeat(np.arange(3), [90, 9, 1]).astype(np.int32)
    weights = track_weights(np.arange(101), classes, np.ones(100), 3, offset=0.0)
    weights = np.append(weights, 0.0)
    drawn = draw_repeatedly(weights, tracks, generator())
    assert len(drawn) == tracks
    assert drawn.dtype == np.int64
    times, wanted = np.bincount(drawn, minlength=101), len(drawn) * weights / weights.sum()
    assert (np.abs(times - wanted) < 1).all()
    assert times[100] == 0
    again = draw_repeatedly(weights, tracks, generator())
    assert np.array_equal(drawn, again)


def test_repeated_draws_are_in_no_order_and_as_likely_as_their_weights() -> None:
    weights = np.array([1.0, 2.0, 5.0])
    first = [int(draw_repeatedly(weights, 3, generator(draw))[0]) for draw in range(4000)]
    assert stats.chisquare(np.bincount(first, minlength=3), 500 * weights).pvalue > 1e-3
