"""The weights of a linear layer to 8-bit integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.making.weights import FloatArray

LARGEST_VALUE = 127
"""Eight bits, symmetric about zero."""
LARGEST_PAIR = 128
"""The largest sum of two neighbours of one sign: as much as leaves rows all levels without VNNI
(`row_levels`). It makes weights coarser, up to twice; `quantize_compensating` makes up for it."""
_LARGEST_LEVEL = 255
_LARGEST_SUM = 2**15 - 1


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

    @classmethod
    def of(cls, values: NDArray[np.int8], scale: FloatArray) -> QuantizedMatrix:
        """Make it of integers and their scale."""
        sums = values.sum(axis=0, dtype=np.int64) * scale.astype(np.float64)
        return cls(values, scale, sums.astype(np.float32))

    @property
    def weight(self) -> FloatArray:
        """What the integers stand for."""
        weight: FloatArray = self.values * self.scale
        return weight

    def columns(self, chosen: slice) -> QuantizedMatrix:
        """Give some of the columns."""
        return QuantizedMatrix(self.values[:, chosen], self.scale[chosen], self.sums[chosen])

    def times(self, factors: FloatArray) -> QuantizedMatrix:
        """Multiply each column with a positive factor."""
        return QuantizedMatrix(self.values, self.scale * factors, self.sums * factors)


def quantize_columns(weight: FloatArray) -> QuantizedMatrix:
    """Quantise a matrix, each output column with its own scale, symmetric about zero.

    A column whose two neighbours are both large is made smaller, as `LARGEST_PAIR` says.

    Parameters
    ----------
    weight : ndarray of float32 [inputs, outputs]

    Returns
    -------
    QuantizedMatrix
        Values from -127 to 127.
    """
    scale = column_scales(weight)
    scaled = np.rint(weight / np.maximum(scale, np.finfo(np.float32).tiny))
    values = np.clip(scaled, -LARGEST_VALUE, LARGEST_VALUE).astype(np.int8)
    return QuantizedMatrix.of(values, scale)


def column_scales(weight: FloatArray) -> FloatArray:
    """Give the step of each column's integers, as `quantize_columns` takes it.

    Parameters
    ----------
    weight : ndarray of float32 [inputs, outputs]

    Returns
    -------
    ndarray of float32 [outputs]
    """
    pairs = np.maximum(*_pair_sums(weight)).max(axis=0) / np.float32(LARGEST_PAIR)
    peak = np.maximum(np.abs(weight).max(axis=0), pairs * np.float32(LARGEST_VALUE))
    # A column of zeros needs a scale too, and any will do.
    scale = np.where(peak > 0, peak / np.float32(LARGEST_VALUE), np.float32(1))
    return scale.astype(np.float32)


def row_levels(values: NDArray[np.int8]) -> int:
    """Give the largest integer of a row that is multiplied by a matrix, for any x86 processor.

    Without VNNI (AVX2, early AVX-512) ONNX Runtime multiplies unsigned 8-bit inputs by signed 8-bit
    weights with vpmaddubsw, which adds the products of two neighbouring inputs in *saturating* 16
    bits. How large inputs may be follows from the weights: seven bits suit any matrix, but seldom
    have two neighbours large weights of one sign. (ONNX Runtime's session.x64quantprecision, which
    avoids the overflow, does not reach into `If` branches and costs 15 to 25 % more time. On
    processors with VNNI, and on aarch64, sums are exact and the engine takes 255.)

    Parameters
    ----------
    values : ndarray of int8 [inputs, outputs]

    Returns
    -------
    int
        From 129 to 255.
    """
    above, below = _pair_sums(values.astype(np.int16))
    return min(_LARGEST_LEVEL, _LARGEST_SUM // max(1, int(above.max()), int(below.max())))


def _pair_sums(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give what two neighbours of a column add up to, above and below zero; both are positive."""
    padded = np.pad(values, ((0, len(values) % 2), (0, 0)))
    pairs = padded.reshape(-1, 2, values.shape[1])
    return np.maximum(pairs, 0).sum(axis=1), -np.minimum(pairs, 0).sum(axis=1)
