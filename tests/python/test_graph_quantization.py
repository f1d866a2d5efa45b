"""Matrices as integers, and how large rows may be that are multiplied by them."""

import numpy as np
import pytest

from essentia_maest.making.graph_quantization import LARGEST_VALUE, quantize_columns, row_levels


def test_quantised_weights_are_close():
    generator = np.random.default_rng(0)
    weight = generator.standard_normal((300, 40)).astype(np.float32)
    weight[:, 3] = 0
    quantized = quantize_columns(weight)
    assert 2 * 128 * LARGEST_VALUE < 2**15  # as few levels as any matrix leaves
    assert np.abs(quantized.values).max() == LARGEST_VALUE
    restored = quantized.values * quantized.scale
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
