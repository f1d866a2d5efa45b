"""The weights of a linear layer to 8-bit integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from essentia_maest.making.weights import FloatArray

# Eight bits, symmetric about zero. On x86 without VNNI (AVX2, early AVX-512) ONNX Runtime
# multiplies unsigned 8-bit inputs by signed 8-bit weights with vpmaddubsw, which adds two products
# in *saturating* 16 bit, so there the inputs have 7 bits: `essentia_maest.making.row_functions`.
# ONNX Runtime's session.x64quantprecision, which avoids the overflow, does not reach into `If`
# branches and costs 15 to 25 % more time.
LARGEST_VALUE = 127


@dataclass(frozen=True)
class QuantizedMatrix:
    """A matrix as 8-bit integers: `weight` is about `values * scale`.

    Parameters
    ----------
    values : ndarray of int8 [inputs, outputs]
    scale : ndarray of float32 [outputs]
    sums : ndarray of float32 [outputs]
        Of the columns of `values * scale`: what an input adds to a product that is the same in all
        rows.
    """

    values: NDArray[np.int8]
    scale: FloatArray
    sums: FloatArray


def quantize_columns(weight: FloatArray) -> QuantizedMatrix:
    """Quantise a matrix, each output column with its own scale, symmetric about zero.

    Parameters
    ----------
    weight : ndarray of float32 [inputs, outputs]

    Returns
    -------
    QuantizedMatrix
        Values from -127 to 127.
    """
    peak = np.abs(weight).max(axis=0)
    # A column of zeros needs a scale too, and any will do.
    scale = np.where(peak > 0, peak / np.float32(LARGEST_VALUE), np.float32(1)).astype(np.float32)
    scaled = np.rint(weight / np.maximum(scale, np.finfo(np.float32).tiny))
    values = np.clip(scaled, -LARGEST_VALUE, LARGEST_VALUE).astype(np.int8)
    sums = values.sum(axis=0, dtype=np.int64) * scale.astype(np.float64)
    return QuantizedMatrix(values, scale, sums.astype(np.float32))
