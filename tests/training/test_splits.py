"""Splits share no group, cover the classes, and depend on the seed alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.data.ragged import Ragged, offsets_of
from training.data.report import Report
from training.data.splits import assign_splits, report_splits
from training.errors import ConfigError

TRAIN, VALIDATION, TEST = range(3)


def ragged(rows: list[list[int]]) -> Ragged:
    values = np.array([value for row in rows for value in row], np.int64)
    return Ragged(offsets_of(np.array([len(row) for row in rows], np.int64)), values)


def names(groups: list[str] | NDArray[np.str_]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(groups, pa.string())])


def assign(
    groups: list[str] | NDArray[np.str_],
    labels: Ragged,
    classes: int,
    shares: tuple[float, float] = (0.1, 0.1),
    seed: int = 0,
) -> NDArray[np.int8]:
    return assign_splits(
        names(groups),
        labels,
        classes,
        validation_share=shares[0],
        test_share=shares[1],
        seed=seed,
    )


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[str], list[list[int]]]:
    count = draw(st.integers(1, 60))
    group = st.integers(0, draw(st.integers(0, 40))).map(lambda g: f"artist {g}")
    labels = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)
    return (
        draw(st.lists(group, min_size=count, max_size=count)),
        draw(st.lists(labels, min_size=count, max_size=count)),
    )


@settings(max_examples=150, deadline=None)
@given(
    collections(),
    st.sampled_from([(0.1, 0.1), (0.3, 0.0), (0.0, 0.2), (0.4, 0.4)]),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_rules_that_always_hold(collection, shares, seed, random) -> None:
    groups, rows = collection
    split = assign(groups, ragged(rows), 6, shares, seed)
    # one split per group
    assert len({(g, s) for g, s in zip(groups, split.tolist(), strict=True)}) == len(set(groups))
    # every class is trained on
    trained = {c for row, s in zip(rows, split, strict=True) if s == TRAIN for c in row}
    assert trained == {c for row in rows for c in row}
    for code, share in ((VALIDATION, shares[0]), (TEST, shares[1])):
        assert share > 0 or code not in split
    # the order of the rows does not matter
    order = list(range(len(groups)))
    random.shuffle(order)
    shuffled = assign([groups[i] for i in order], ragged([rows[i] for i in order]), 6, shares, seed)
    assert shuffled.tolist() == split[order].tolist()


def large(groups: int, seed: int = 5) -> tuple[NDArray[np.str_], Ragged]:
    rng = np.random.default_rng(seed)
    frequency = 1 / np.arange(1, 41)
    rows = [
        (f"artist {group}", rng.choice(40, rng.integers(1, 4), False, frequency / frequency.sum()))
        for group in range(groups)
        for _ in range(1 + rng.poisson(2))
    ]
    order = rng.permutation(len(rows))
    labels = [sorted(int(label) for label in rows[i][1]) for i in order]
    return np.array([rows[i][0] for i in order]), ragged(labels)


def test_sizes_and_classes_follow_the_shares() -> None:
    groups, labels = large(2000)
    split = assign(groups, labels, 40)
    sizes = np.bincount(split, minlength=3) / len(split)
    np.testing.assert_allclose(sizes, [0.8, 0.1, 0.1], atol=0.003)
    per_class = np.zeros((3, 40))
    np.add.at(per_class, (split[labels.parents], labels.values), 1)
    shares = per_class / per_class.sum(axis=0)
    # chance alone would leave 0.1 +- 0.02 for classes of 200 tracks
    frequent = per_class.sum(axis=0) >= 100
    assert frequent.sum() >= 20
    np.testing.assert_allclose(shares[VALIDATION, frequent], 0.1, atol=0.015)
    np.testing.assert_allclose(shares[TEST, frequent], 0.1, atol=0.015)


def test_seeds_differ_and_repeat() -> None:
    groups, labels = large(200)
    first = assign(groups, labels, 40, seed=1)
    assert (first == assign(groups, labels, 40, seed=1)).all()
    assert (first != assign(groups, labels, 40, seed=2)).mean() > 0.1


def test_class_in_three_groups_is_in_every_split() -> None:
    groups = [f"g{i}" for i in range(100)]
    rows = [[0] for _ in range(100)]
    for group in (7, 50, 93):
        rows[group] = [0, 1]
    for seed in range(20):
        split = assign(groups, ragged(rows), 2, seed=seed)
        assert sorted(split[[7, 50, 93]].tolist()) == [TRAIN, VALIDATION, TEST]
        assert np.bincount(split).tolist() == [80, 10, 10]


def test_class_in_one_or_two_groups_is_trained_on() -> None:
    groups = [f"g{i}" for i in range(50)]
    rows = [[0] for _ in range(50)]
    rows[3], rows[4] = [0, 1], [2]
    for seed in range(20):
        split = assign(groups, ragged(rows), 3, seed=seed)
        assert split[3] == split[4] == TRAIN


def test_giant_group_is_trained_on() -> None:
    groups = ["giant"] * 600 + [f"g{i}" for i in range(400)]
    for seed in range(10):
        split = assign(groups, ragged([[0]] * 1000), 1, seed=seed)
        assert (split[:600] == TRAIN).all()
        assert np.bincount(split).tolist() == [800, 100, 100]


def test_few_large_groups_still_fill_every_split() -> None:
    groups = ["a"] * 50 + ["b"] * 60 + ["c"] * 40
    split = assign(groups, ragged([[0]] * 150), 1)
    assert len(set(split.tolist())) == 3


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.5, 0.5), (1.0, 0.0), (float("nan"), 0.1)])
def test_impossible_shares_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="together below 1"):
        assign(["a"], ragged([[0]]), 1, shares)


def test_report_names_what_is_missing() -> None:
    report = Report()
    labels = ragged([[0], [0, 1], [0], [0], [0]])
    split = np.array([0, 1, 1, 0, 0], np.int8)
    report_splits(split, labels, names(["x", "x", "y", "z", "z"]), ("a", "b", "c"), report)
    assert report.counts["tracks in train"] == 3
    assert report.counts["tracks in validation"] == 2
    assert report.counts["tracks in test"] == 0
    assert report.counts["classes without a track in train"] == 2
    assert report.counts["classes without a track in validation"] == 1
    assert report.notes[0].startswith("1 groups have tracks in more than one split")
    assert "'x'" in report.notes[0]
    assert "2 classes have no track in train: b, c" in report.notes
    assert "1 classes have no track in validation: c" in report.notes
    assert "no track is in test" in report.notes


def test_report_names_a_group_of_most_tracks() -> None:
    report = Report()
    split = np.array([0, 0, 0, 1], np.int8)
    report_splits(split, ragged([[0]] * 4), names(["x", "x", "x", "y"]), ("a",), report)
    assert "group 'x' holds 3 of 4 tracks" in report.notes
