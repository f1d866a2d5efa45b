"""Labels ranked against the collection: SciPy's ranks, and what stands out by them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import percentileofscore, rankdata

import essentia_maest as maest
from essentia_maest.commands.account import tell_account
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.library.account import account_lines
from essentia_maest.library.ranks import percentiles, standing_out, standing_out_by_family
from results_folders import write_results

few_values = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1, width=32)
tables = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements=few_values,
)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_they_are_the_mean_ranks_of_scipy(activations):
    found = percentiles(activations)
    expected = (rankdata(activations, "average", axis=0) - 0.5) / len(activations) * 100
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    column = activations[:, 0].astype(np.float64)
    np.testing.assert_allclose(
        found[:, 0], percentileofscore(column, column, kind="mean"), rtol=1e-6
    )
    np.testing.assert_allclose(found.mean(axis=0), 50, rtol=1e-5)


def test_what_is_not_a_number_has_no_rank_and_counts_for_nobody():
    activations = np.array([[0.1], [np.nan], [0.3], [0.2]], np.float32)
    found = percentiles(activations)
    assert np.isnan(found[1, 0])
    np.testing.assert_array_equal(found[[0, 2, 3]], percentiles(activations[[0, 2, 3]]))


def test_one_track_and_none():
    np.testing.assert_array_equal(percentiles(np.array([[0.9, 0.1]], np.float32)), [[50, 50]])
    assert percentiles(np.zeros((0, 3), np.float32)).shape == (0, 3)
    with pytest.raises(InvalidArgumentError, match=r"shape \[3\]; wanted: \[tracks, classes\]"):
        percentiles(np.zeros(3))


LABELS = ["Genre---jazz", "Genre---rock", "Metre---quadruple", "Metre---triple"]
ACTIVATIONS = np.array([0.3, 0.6, 0.99, 0.01], np.float32)
RANKS = np.array([98, 70, 40, 99.5], np.float32)


def test_what_is_rare_comes_before_what_is_strong():
    found = standing_out(ACTIVATIONS, RANKS, LABELS, 5)
    assert [(label.label, label.rank) for label in found] == [
        ("Genre---jazz", 98),
        ("Genre---rock", 70),
        ("Metre---quadruple", 40),
    ]
    assert [label.label for label in standing_out(ACTIVATIONS, RANKS, LABELS, 1)] == [LABELS[0]]


def test_what_a_model_does_not_say_does_not_stand_out():
    assert LABELS[3] in [
        label.label for label in standing_out(ACTIVATIONS, RANKS, LABELS, 4, least=0)
    ]
    assert standing_out(ACTIVATIONS, np.full(4, np.nan, np.float32), LABELS, 4, least=2) == []


def test_of_equal_ranks_the_stronger_comes_first():
    found = standing_out(ACTIVATIONS, np.full(4, 50, np.float32), LABELS, 4)
    assert [label.label for label in found] == [LABELS[2], LABELS[1], LABELS[0]]


def test_by_family():
    found = standing_out_by_family(ACTIVATIONS, RANKS, LABELS, ["Genre", "Metre"], 1)
    assert {family: [one.label for one in named] for family, named in found.items()} == {
        "Genre": ["Genre---jazz"],
        "Metre": ["Metre---quadruple"],
    }
    only = standing_out_by_family(ACTIVATIONS, RANKS, LABELS, ["Genre", "Metre"], 2, least=0.5)
    assert [one.label for one in only["Genre"]] == ["Genre---rock"]
    none = standing_out_by_family(ACTIVATIONS, RANKS, LABELS, [], 2)
    assert [one.label for one in none[""]] == ["Genre---jazz", "Genre---rock"]
    assert standing_out_by_family(ACTIVATIONS, RANKS, LABELS, ["Genre"], 2, least=2) == {}


# --- an account of a collection -----------------------------------------------------------------


def test_the_account_names_labels_by_family_and_where_each_stands_out_most():
    lines = account_lines(
        np.array([[0.9, 0.1, 1, 0], [0.7, 0.2, 1, 0.4], [0.2, 0.8, 1, 0]], np.float32),
        LABELS,
        ["Genre", "Metre"],
        ["a", "b", "c"],
    )
    assert lines == ["Genre  jazz 2 (a), rock 1 (c)", "Metre  quadruple 2 (a), triple 1 (b)"]
    none = account_lines(np.full((2, 1), 0.5), ["calm"], [], ["a", "b"])
    assert none == ["calm 2 (a)"]
    assert account_lines(np.zeros((2, 4)), LABELS, ["Genre", "Metre"], ["a", "b"]) == []


@settings(max_examples=30, deadline=None)
@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(4)), elements=few_values))
def test_the_account_counts_what_stands_out_first(activations):
    ranks, families = percentiles(activations), ["Genre", "Metre"]
    expected: dict[str, dict[str, int]] = {}
    for own, row in zip(activations, ranks, strict=True):
        for family, (first,) in standing_out_by_family(own, row, LABELS, families, 1).items():
            name = first.label.removeprefix(family + "---")
            counts = expected.setdefault(family, {})
            counts[name] = counts.get(name, 0) + 1
    names = [str(number) for number in range(len(activations))]
    lines = account_lines(activations, LABELS, families, names)
    found = {
        line.split()[0]: {
            name: int(count) for name, count in re.findall(r"(\w+) (\d+) \(\d+\)", line)
        }
        for line in lines
    }
    assert found == expected


def test_what_analyze_says_at_its_end(tmp_path, capsys):
    activations = np.random.default_rng(0).random((10, 4)).astype(np.float32)
    names = [f"sub/{number}.mp3" for number in range(9)]
    out = write_results(tmp_path / "out", names, predictions=activations[:9])
    tell_account(out)
    assert capsys.readouterr().out == ""  # too few
    write_results(out, ["sub/9.mp3"], predictions=activations[9:])
    tell_account(out)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("what stands out in 10 tracks")
    assert [line.split()[0] for line in lines] == ["Genre", "Metre"]
    next(out.glob("tracks/*")).write_bytes(b"damaged")
    tell_account(out)
    printed, told = capsys.readouterr()
    assert printed == ""
    assert "no account of the collection: " in told


def test_results_have_ranks(tmp_path):
    activations = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    names = [f"{number}.mp3" for number in range(20)]
    results = maest.open_results(write_results(tmp_path, names, predictions=activations))
    ranks, ids = results.ranks()
    np.testing.assert_array_equal(ranks, percentiles(activations))
    assert ids.tolist() == list(range(20))
    assert results.label_families == ("Genre", "Metre")
    every = results.standing_out(3)
    assert every == [
        standing_out(own, row, LABELS, 3) for own, row in zip(activations, ranks, strict=True)
    ]
    assert results.standing_out(3, rows=[7, 2]) == [every[7], every[2]]
