"""Scores under many weightings, against scikit-learn and scipy; the bootstrap over groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from training.downstream.scores import ALL, difference, family_scores
from training.errors import DataError
from training.recipe.bootstrap import bootstrap_weights, interval
from training.recipe.ranking import correlation, precision_and_area, ranks

CLASSES = ("Genre---Rock", "Genre---Folk", "Metre---duple", "Metre---triple")


def _data(tracks: int = 80, seed: int = 0):
    random = np.random.default_rng(seed)
    targets = (random.random((tracks, len(CLASSES))) < 0.3).astype(np.float32)
    targets[: tracks // 4, 2:] = np.nan  # no metre known
    # rounded: many tracks share a score
    activations = np.round(0.5 * np.nan_to_num(targets) + random.random(targets.shape), 1)
    groups = np.array([f"artist {number // 4}" for number in range(tracks)])
    return activations.astype(np.float32), targets, groups


@pytest.mark.parametrize("decimals", [0, 1, 6])
def test_precision_and_area_are_those_of_scikit_learn(decimals: int):
    random = np.random.default_rng(decimals)
    positive = random.random(60) < 0.3
    scores = np.round(positive + 1.5 * random.random(60), decimals)
    weights = random.integers(0, 4, (20, 60)).astype(float)
    precision, area = precision_and_area(scores, positive, weights)
    for draw, weight in enumerate(weights):
        expected = average_precision_score(positive, scores, sample_weight=weight)
        assert precision[draw] == pytest.approx(expected, abs=1e-12)
        expected = roc_auc_score(positive, scores, sample_weight=weight)
        assert area[draw] == pytest.approx(expected, abs=1e-12)


def test_a_draw_without_positives_or_negatives_has_no_score():
    weights = np.array([[1.0, 1, 1], [0, 1, 1], [1, 0, 0]])
    precision, area = precision_and_area(
        np.array([3.0, 2, 1]), np.array([True, False, False]), weights
    )
    np.testing.assert_array_equal(precision, [1, np.nan, np.nan])
    np.testing.assert_array_equal(area, [1, np.nan, np.nan])


def test_ranks_and_correlation_are_those_of_repeated_tracks():
    random = np.random.default_rng(1)
    first, second = np.round(random.random((2, 40)), 1)
    weights = random.integers(0, 3, (10, 40)).astype(float)
    spearman = correlation(ranks(first, weights), ranks(second, weights), weights)
    pearson = correlation(first, second, weights)
    for draw, weight in enumerate(weights.astype(int)):
        one, other = np.repeat(first, weight), np.repeat(second, weight)
        assert spearman[draw] == pytest.approx(stats.spearmanr(one, other)[0], abs=1e-12)
        assert pearson[draw] == pytest.approx(stats.pearsonr(one, other)[0], abs=1e-12)


def test_a_constant_correlates_with_nothing():
    constant = np.full(9, 0.1)
    assert np.isnan(correlation(constant, np.arange(9.0), np.ones((1, 9)))).all()


def test_groups_are_drawn_whole():
    groups = np.array(["a", "b", "a", "c", "b", "a"])
    weights = bootstrap_weights(groups, draws=200, seed=3)
    assert weights.shape == (201, 6)
    np.testing.assert_array_equal(weights[0], 1)
    for name in "abc":
        of_group = weights[:, groups == name]
        np.testing.assert_array_equal(of_group, of_group[:, :1].repeat(of_group.shape[1], 1))
    drawn = weights[1:, [0, 1, 3]]
    np.testing.assert_array_equal(drawn.sum(1), 3)
    assert abs(drawn.mean(0) - 1).max() < 0.2
    np.testing.assert_array_equal(weights, bootstrap_weights(groups, draws=200, seed=3))
    assert (weights != bootstrap_weights(groups, draws=200, seed=4)).any()


def test_intervals_are_standard_errors_of_defined_draws():
    draws = np.random.default_rng(0).normal(50, 2, 100_000)
    values = np.concatenate([[50.0], draws, [np.nan]])
    assert interval(values) == pytest.approx((50, 50 - 2 * 1.96, 50 + 2 * 1.96), rel=0.01)
    assert np.isnan(interval(np.array([np.nan, 1.0]))).all()


def test_draws_that_lean_move_nothing():
    """Mean average precision of draws lies above that of the tracks: each repeats tracks."""
    found = interval(np.array([0.0, *np.linspace(1, 2, 100)]))
    assert found.low < found.value < found.high
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_interval_of_the_bootstrap_is_as_wide_as_theory_says():
    """One positive and one negative a group: the area is a mean over independent groups."""
    random = np.random.default_rng(5)
    count = 200
    targets = np.tile([1.0, 0.0], count).astype(np.float32)[:, None]
    activations = (targets[:, 0] + random.normal(0, 1, 2 * count))[:, None]
    groups = np.repeat([f"g{number}" for number in range(count)], 2)
    scores = family_scores(activations, targets, ["Tempo---fast"], groups, draws=400, seed=0)
    found = scores["Tempo"].roc_auc
    # Hanley and McNeil (1982)
    area = found.value
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (count - 1) * (q1 - area**2 + q2 - area**2)
    expected = 2 * 1.96 * np.sqrt(variance) / count
    assert found.low < area < found.high
    assert found.high - found.low == pytest.approx(expected, rel=0.2)


def test_family_scores_are_means_over_classes():
    activations, targets, groups = _data()
    scores = family_scores(activations, targets, CLASSES, groups, draws=50, seed=0)
    assert list(scores) == ["Genre", "Metre", ALL]
    columns = {"Genre": [0, 1], "Metre": [2, 3], ALL: [0, 1, 2, 3]}
    for family, members in columns.items():
        known = [~np.isnan(targets[:, column]) for column in members]
        pairs = [
            (targets[rows, column], activations[rows, column])
            for rows, column in zip(known, members, strict=True)
        ]
        found = scores[family]
        expected = np.mean([average_precision_score(*pair) for pair in pairs])
        assert found.mean_average_precision.value == pytest.approx(expected)
        expected = np.mean([roc_auc_score(*pair) for pair in pairs])
        assert found.roc_auc.value == pytest.approx(expected)
        assert found.chance == pytest.approx(np.mean([truth.mean() for truth, _ in pairs]))
        assert found.classes == len(members)
        low, high = found.mean_average_precision[1:]
        assert low < found.mean_average_precision.value < high
    assert (scores["Genre"].tracks, scores["Metre"].tracks) == (80, 60)
    assert (scores["Genre"].groups, scores["Metre"].groups) == (20, 15)


def test_classes_that_cannot_be_scored_do_not_count():
    activations, targets, groups = _data()
    targets[:, 0] = 0
    activations[:, 2] = np.nan
    scores = family_scores(activations, targets, CLASSES, groups, draws=5, seed=0)
    assert [scores[family].classes for family in ("Genre", "Metre", ALL)] == [1, 1, 2]
    expected = average_precision_score(targets[:, 1], activations[:, 1])
    assert scores["Genre"].mean_average_precision.value == pytest.approx(expected)
    activations[:, 1] = np.nan
    scores = family_scores(activations, targets, CLASSES, groups, draws=5, seed=0)
    assert scores["Genre"].classes == 0
    assert np.isnan(scores["Genre"].mean_average_precision).all()


def test_tracks_of_which_nothing_is_known_change_nothing():
    activations, targets, groups = _data()
    expected = family_scores(activations, targets, CLASSES, groups, draws=20, seed=0)
    more = [np.concatenate([array, array]) for array in (activations, targets)]
    more[1][len(targets) :] = np.nan
    strangers = np.array([f"stranger {number}" for number in range(len(groups))])
    groups = np.concatenate([groups, strangers])
    assert family_scores(*more, CLASSES, groups, draws=20, seed=0) == expected


def test_differences_are_paired():
    activations, targets, groups = _data()
    worse = activations + np.random.default_rng(7).normal(0, 0.3, activations.shape)
    options = {"draws": 200, "seed": 0}
    one = family_scores(activations, targets, CLASSES, groups, **options)
    other = family_scores(worse, targets, CLASSES, groups, **options)
    found = difference(activations, worse, targets, CLASSES, groups, **options)
    assert list(found) == list(one)
    for family, (precision, area) in found.items():
        values = (one[family].mean_average_precision, other[family].mean_average_precision)
        assert precision.value == pytest.approx(values[0].value - values[1].value)
        assert area.value == pytest.approx(one[family].roc_auc.value - other[family].roc_auc.value)
        # what both have in common cancels
        assert precision.high - precision.low < sum(value.high - value.low for value in values)
    same = difference(activations, activations, targets, CLASSES, groups, **options)
    assert same[ALL] == ((0, 0, 0), (0, 0, 0))


def test_differences_are_over_the_classes_that_both_have():
    activations, targets, groups = _data()
    lacking = activations.copy()
    lacking[:, 0] = np.nan
    found = difference(lacking, activations, targets, CLASSES, groups, draws=5, seed=0)
    assert found["Genre"].mean_average_precision == (0, 0, 0)


def _soft(activations, targets, groups):
    targets[3, 0] = 0.5


def _gap(activations, targets, groups):
    activations[3, 1] = np.nan


def _infinite(activations, targets, groups):
    activations[:, 1] = np.inf


def _unknown(activations, targets, groups):
    targets[:] = np.nan


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_soft, "soft labels"),
        (_gap, r"Genre---Folk are not finite for 1 of 80"),
        (_infinite, r"Genre---Folk are not finite for 80 of 80"),
        (_unknown, "nothing is known of any of 80"),
    ],
)
def test_wrong_values_are_refused(spoil, message: str):
    activations, targets, groups = _data()
    spoil(activations, targets, groups)
    with pytest.raises(DataError, match=message):
        family_scores(activations, targets, CLASSES, groups, draws=5, seed=0)


def test_wrong_sizes_are_refused():
    activations, targets, groups = _data()
    with pytest.raises(DataError, match=r"activations are \[80, 3\]; wanted 80 .* 4 classes"):
        family_scores(activations[:, :3], targets, CLASSES, groups, draws=5, seed=0)
    with pytest.raises(DataError, match=r"targets are \[79, 4\]; wanted 80"):
        difference(activations, activations, targets[:79], CLASSES, groups, draws=5, seed=0)
    with pytest.raises(DataError, match="80 tracks and 0 draws"):
        family_scores(activations, targets, CLASSES, groups, draws=0, seed=0)
