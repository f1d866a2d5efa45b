"""Matrices as integers, and how large rows may be that are multiplied by them."""

import numpy as np
import pytest

from essentia_maest.making.equalisation import rounded_product
from essentia_maest.making.graph_quantization import (
    LARGEST_PAIR,
    LARGEST_VALUE,
    quantize_columns,
    row_levels,
)
from essentia_maest.making.rounding import quantize_compensating


def largest_pair(values: np.ndarray) -> int:
    """Give the most that two neighbours of one sign add up to."""
    pairs = np.pad(values.astype(int), ((0, len(values) % 2), (0, 0))).reshape(-1, 2, len(values.T))
    return max(np.maximum(sign * pairs, 0).sum(axis=1).max() for sign in (1, -1))


def test_quantised_weights_are_close():
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((300, 40)).astype(np.float32)
    weight[:, 3] = 0
    quantized = quantize_columns(weight)
    assert 2 * 128 * LARGEST_VALUE < 2**15  # as few levels as any matrix leaves
    assert np.abs(quantized.values).max() <= LARGEST_VALUE
    assert np.abs(largest_pair(quantized.values) - LARGEST_PAIR) <= 1
    assert np.abs(quantize_columns(weight[:1]).values).max() == LARGEST_VALUE
    restored = quantized.weight
    assert (np.abs(restored - weight) <= quantized.scale / 2 + 1e-7).all()
    assert not restored[:, 3].any()
    np.testing.assert_allclose(quantized.sums, restored.sum(axis=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [1, 2, 7, 64])
def test_levels_are_as_many_as_fit_into_sixteen_bits(inputs):
    generator = np.random.default_rng(inputs)
    for values in (
        generator.integers(-127, 128, (inputs, 5)).astype(np.int8),
        np.full((inputs, 3), -127, np.int8),
        np.resize(np.array([127, -127], np.int8), (inputs, 1)),
        np.zeros((inputs, 2), np.int8),
    ):
        levels = row_levels(values)
        padded = np.pad(values.astype(int), ((0, inputs % 2), (0, 0)))
        rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])

        def worst(most, padded=padded, rows=rows):
            return np.abs(most * rows @ padded.reshape(-1, 2, padded.shape[1])).max()

        assert worst(levels) < 2**15
        assert levels == 255 or worst(levels + 1) >= 2**15


def correlated_rows(count: int, inputs: int) -> np.ndarray:
    """Give rows whose inputs go together in part, and have means."""
    generator = np.random.default_rng(inputs)
    mixing = generator.standard_normal((12, inputs))
    rows = generator.standard_normal((count, 12)) @ mixing
    return (rows + generator.standard_normal((count, inputs)) + mixing[0]).astype(np.float32)


@pytest.mark.parametrize("inputs", [63, 64, 150])
def test_rounding_makes_up_for_rounding(inputs):
    """Products of rows that were not looked at are nearer than where each weight is rounded."""
    weight = np.random.default_rng(1).standard_normal((inputs, 30)).astype(np.float32)
    seen, others = np.split(correlated_rows(1200, inputs), 2)
    plain = quantize_columns(weight)
    found = quantize_compensating(weight, np.cov(seen.T))
    assert np.array_equal(found.scale, plain.scale)
    assert np.abs(found.values.astype(int)).max() <= LARGEST_VALUE
    assert largest_pair(found.values) <= LARGEST_PAIR
    assert row_levels(found.values) == 255
    left, off = (
        np.linalg.norm((others - seen.mean(0)) @ (matrix.weight - weight))
        for matrix in (found, plain)
    )
    assert left < 0.6 * off
    errors = [
        rounded_product(others, seen.mean(axis=0), weight, matrix).error
        for matrix in (found, plain)
    ]
    assert errors[0] < errors[1]


def test_inputs_that_do_not_vary_or_go_together_leave_rounding_as_it_is():
    weight = np.random.default_rng(2).standard_normal((40, 7)).astype(np.float32)
    weight[:, 2] = 0
    plain = quantize_columns(weight)
    for covariance in (np.zeros((40, 40)), np.full((40, 40), np.nan), 1e-8 * np.eye(40)):
        found = quantize_compensating(weight, covariance)
        assert np.abs(found.values.astype(int) - plain.values).max() <= 1  # by the limit of pairs
        assert (found.values != plain.values).mean() < 0.01
        np.testing.assert_allclose(found.sums, found.weight.sum(axis=0), rtol=1e-4)


def test_some_columns_and_factors_of_integers():
    weight = np.random.default_rng(3).standard_normal((9, 6)).astype(np.float32)
    factors = np.exp2(np.arange(6) - 2).astype(np.float32)
    whole, part = quantize_columns(weight), quantize_columns(weight[:, 2:])
    for one, other in ((whole.columns(slice(2, None)), part), (whole.times(factors), None)):
        wanted = quantize_columns(weight * factors) if other is None else other
        assert np.array_equal(one.values, wanted.values)
        assert np.array_equal(one.scale, wanted.scale)
        np.testing.assert_allclose(one.sums, wanted.sums, rtol=1e-6)
