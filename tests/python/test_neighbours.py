"""Nearest neighbours: those that scikit-learn finds, whatever the table is kept in."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from essentia_maest.errors import InvalidArgumentError
from essentia_maest.library import neighbours
from essentia_maest.library.neighbours import Neighbours


def vectors_of(count: int, width: int = 24, kind: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(kind)


@pytest.mark.parametrize("kind", ["float32", "float16"])
@pytest.mark.parametrize(("count", "k"), [(2, 1), (7, 3), (300, 10), (300, 299)])
def test_they_are_those_of_scikit_learn(kind, count, k):
    vectors = vectors_of(count, kind=kind)
    wide = vectors.astype(np.float64)
    oracle = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(wide)
    distances, expected = oracle.kneighbors()
    found, scores = Neighbours(vectors).of_each(k)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, 1 - distances, atol=1e-6)
    for row in (0, count - 1):
        near, near_scores = Neighbours(vectors).near(row, k)
        np.testing.assert_array_equal(near, expected[row])
        np.testing.assert_array_equal(near_scores, scores[row])


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_parts_do_not_change_what_is_found(monkeypatch, kind):
    vectors = vectors_of(200, kind=kind)
    whole = Neighbours(vectors).of_each(5)
    monkeypatch.setattr(neighbours, "_MOST_SCORES", 900)
    monkeypatch.setattr(neighbours, "_MOST_SQUARES", 100)
    for found, expected in zip(Neighbours(vectors).of_each(5), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_differences_that_float32_does_not_tell_are_told():
    """The first of these differ by less than a float32 can."""
    vectors = np.ones((1000, 512), np.float32)
    vectors[:, 0] += np.arange(1000, dtype=np.float32)[::-1] * 1e-4
    near, _ = Neighbours(vectors).near(999, 999)
    np.testing.assert_array_equal(near, np.arange(999)[::-1])


def test_equal_ones_come_in_their_order():
    factors = np.arange(1, 51, dtype=np.float32)[:, None]
    near, scores = Neighbours(vectors_of(1, 500) * factors).near(7, 10)
    assert near.tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]
    np.testing.assert_allclose(scores, 1)


def test_copies_of_the_same_audio_are_one():
    vectors = vectors_of(6)
    copies = np.concatenate([vectors, vectors[2:4]])
    audio = [*"abcdef", "c", "d"]
    search = Neighbours(copies, audio)
    assert search.searched.tolist() == [0, 1, 2, 3, 4, 5]
    plain = Neighbours(vectors)
    for row, own in ((2, 2), (6, 2), (7, 3)):
        for found, expected in zip(search.near(row, 9), plain.near(own, 9), strict=True):
            np.testing.assert_array_equal(found, expected)
    rows, scores = search.of_each(3)
    np.testing.assert_array_equal(rows[:6], plain.of_each(3)[0])
    np.testing.assert_array_equal(rows[6:], rows[2:4])
    np.testing.assert_array_equal(scores[6:], scores[2:4])
    assert Neighbours(copies).near(2, 1)[0].tolist() == [6]


def test_the_copy_that_is_usable_stands_for_the_others():
    vectors = vectors_of(3)
    vectors[0] = np.nan
    search = Neighbours(vectors, ["a", "a", "b"])
    assert search.searched.tolist() == [1, 2]
    assert search.near(2, 5)[0].tolist() == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0])
def test_what_has_no_direction_is_not_found(bad):
    vectors = vectors_of(10)
    vectors[3] = bad
    search = Neighbours(vectors)
    assert 3 not in search.near(0, 20)[0]
    assert len(search.near(0, 20)[0]) == 8
    rows, scores = search.of_each(4)
    assert (rows[3] == -1).all()
    assert np.isnan(scores[3]).all()
    assert np.isnan(search.scores(vectors[0])[3])
    with pytest.raises(InvalidArgumentError, match="all zero, or not finite"):
        search.near(3, 1)


def test_scores_of_all_are_cosines():
    vectors = vectors_of(40, kind="float16")
    wide = vectors.astype(np.float64)
    expected = wide @ wide[5] / np.linalg.norm(wide, axis=1) / np.linalg.norm(wide[5])
    np.testing.assert_allclose(Neighbours(vectors).scores(vectors[5]), expected, atol=1e-6)


def test_few_tracks():
    one = Neighbours(vectors_of(1))
    assert one.of_each(5)[0].shape == (1, 0)
    assert one.near(0, 5)[0].tolist() == []
    none = Neighbours(np.zeros((0, 4), np.float32))
    assert none.of_each(5)[0].shape == (0, 0)
    assert none.nearest(np.ones(4), 5)[0].tolist() == []


def test_what_cannot_be_asked():
    search = Neighbours(vectors_of(4))
    for k in (0, -1):
        with pytest.raises(InvalidArgumentError, match=f"k is {k}; 1 or more wanted"):
            search.near(0, k)
        with pytest.raises(InvalidArgumentError, match=f"k is {k}; 1 or more wanted"):
            search.of_each(k)
    with pytest.raises(InvalidArgumentError, match=r"shape \[3\] was asked for; wanted: \[24\]"):
        search.nearest(np.ones(3), 1)
    with pytest.raises(InvalidArgumentError, match=r"float64 of shape \[4, 2\]; wanted: float32"):
        Neighbours(np.ones((4, 2)))
    with pytest.raises(InvalidArgumentError, match="3 hashes of audio for 4 tracks"):
        Neighbours(vectors_of(4), ["a", "b", "c"])
