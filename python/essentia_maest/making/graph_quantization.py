"""The weights of a linear layer to 8-bit integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from essentia_maest.making.weights import FloatArray

# One bit less than int8 holds, on purpose. On x86 without VNNI (AVX2, early AVX-512) ONNX Runtime
# multiplies unsigned 8-bit inputs by signed 8-bit weights with vpmaddubsw, which adds two products
# in *saturating* 16 bit: 255 * 127 * 2 overflows, so 8-bit weights give other results there than
# on a machine with VNNI. 255 * 64 * 2 = 32640 does not overflow, so 7-bit weights give the exact
# sums everywhere. Measured on such a machine (Zen 3), one layer 768 x 768 with normal weights and
# inputs: saturation alone moved the result by 1.0e-2 (relative, 8 bit) and by 0 (7 bit). Over seven
# blocks of random weights at width 768 the tokens differ from fp32 by 0.025 with exact 8-bit
# weights and by 0.031 with 7-bit ones (cosine of the mean token 0.99970 and 0.99955).
# ONNX Runtime's session.x64quantprecision, which avoids the overflow, does not reach into `If`
# branches and costs 15 to 25 % more time.
LARGEST_VALUE = 64


@dataclass(frozen=True)
class QuantizedMatrix:
    """A matrix as 8-bit integers: `weight` is about `(values - zero_point) * scale`.

    Parameters
    ----------
    values : ndarray of int8 [inputs, outputs]
    scale : ndarray of float32 [outputs]
    zero_point : ndarray of int8 [outputs]
    """

    values: NDArray[np.int8]
    scale: FloatArray
    zero_point: NDArray[np.int8]


def quantize_columns(weight: FloatArray) -> QuantizedMatrix:
    """Quantise a matrix, each output column with its own scale, symmetric about zero.

    Parameters
    ----------
    weight : ndarray of float32 [inputs, outputs]

    Returns
    -------
    QuantizedMatrix
        Values from -64 to 64.
    """
    peak = np.abs(weight).max(axis=0)
    # A column of zeros needs a scale too, and any will do.
    scale = np.where(peak > 0, peak / np.float32(LARGEST_VALUE), np.float32(1)).astype(np.float32)
    scaled = np.rint(weight / np.maximum(scale, np.finfo(np.float32).tiny))
    values = np.clip(scaled, -LARGEST_VALUE, LARGEST_VALUE).astype(np.int8)
    return QuantizedMatrix(values, scale, np.zeros(scale.size, np.int8))
