"""Channels that are larger than others are made smaller, and what reads them larger.

A row of 8-bit integers has one step: where a few channels are dozens of times larger than the
rest, as in trained transformers, the rest is rounded away. Each channel j of what a matrix is fed
can be divided by a factor s_j if row j of the matrix is multiplied with it. With
s_j = sqrt(max |x_j| / max |w_j|) both have the same range (Xiao et al., *SmoothQuant*, ICML 2023,
with alpha 0.5). Where that gains nothing, as in a layer whose channels differ little, nothing is
moved: of three choices each matrix takes the one whose result in int8 is closest. The division
costs nothing: it goes into the norm before query, key, value and fc1, into the columns of value
before the projection, and into a factor behind GELU before fc2. Factors are powers of two, so that
fp32 computes the same bits as before.

Weights are then rounded so that they make up for each other (`essentia_maest.making.rounding`).
What that adds to a result in the mean of all tokens is the same for each token: it adds up from
block to block and does not average out. It is known beforehand, and taken from the bias (Nagel et
al., *Data-Free Quantization*, ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from essentia_maest.making.calibration import BlockInputs
from essentia_maest.making.graph_quantization import (
    QuantizedMatrix,
    quantize_columns,
    row_levels,
)
from essentia_maest.making.quantization_plan import MATRICES
from essentia_maest.making.rounding import quantize_compensating
from essentia_maest.making.weights import BlockWeights, FloatArray

_LARGEST_EXPONENT = 30
_SMALLEST_EXPONENT = -6
"""What was small in the music looked at may be larger in other music."""
_LEAST_EXPONENTS = (np.inf, 1.5, 0.5)
"""Channels whose factor is nearer to 1, as a power of two, stay: the choices."""
_LEAST_OF_QUERIES = 1.5


@dataclass(frozen=True)
class EqualisedBlock:
    """A block whose channels were scaled.

    Parameters
    ----------
    weights : BlockWeights
        The same function as before, but that the input of fc2 has to be divided first.
    divisors : dict of str to ndarray of float32
        What the channels of each input are divided by: of ``qkv``, ``projection``, ``fc1``,
        ``fc2``, and of ``query_key``, queries, by which keys are multiplied.
    errors : dict of str to float
        For each matrix how far its result in int8 is off: `RoundedProduct.error`.
    shifts : dict of str to ndarray of float32
        For each matrix what rounding its weights adds to its result, in the mean of all rows.
    rounded : dict of str to QuantizedMatrix
        The matrices as integers.
    """

    weights: BlockWeights
    divisors: dict[str, FloatArray]
    errors: dict[str, float]
    shifts: dict[str, FloatArray]
    rounded: dict[str, QuantizedMatrix]


def equalise(block: BlockWeights, inputs: BlockInputs) -> EqualisedBlock:
    """Give each channel of what is quantised the range of its weights, where that helps.

    Parameters
    ----------
    block : BlockWeights
    inputs : BlockInputs
        What it was fed (`essentia_maest.making.calibration.watch`).
    """
    divisors: dict[str, FloatArray] = {}
    products: dict[str, RoundedProduct] = {}
    for name in MATRICES:
        weight: FloatArray = getattr(block, f"{name}_weight")
        divisors[name], products[name] = _best(weight, inputs, name)
    divisors["query_key"] = divisors_of(
        inputs.largest["query"], inputs.largest["key"], _LEAST_OF_QUERIES
    )
    columns = _columns(divisors)
    shifts = {name: product.shift for name, product in products.items()}
    rounded = {name: product.matrix for name, product in products.items()}
    shifts["qkv"] = shifts["qkv"] * columns
    rounded["qkv"] = rounded["qkv"].times(columns)
    errors = {name: product.error for name, product in products.items()}
    return EqualisedBlock(_scaled(block, divisors), divisors, errors, shifts, rounded)


def _best(weight: FloatArray, inputs: BlockInputs, name: str) -> tuple[FloatArray, RoundedProduct]:
    """Choose what the inputs of a matrix are divided by, and round it."""
    rows, mean, largest = inputs.kept(name), inputs.mean(name), np.abs(weight).max(axis=1)
    choices: dict[bytes, tuple[FloatArray, RoundedProduct]] = {}
    for least in _LEAST_EXPONENTS:
        tried = divisors_of(inputs.largest[name], largest, least)
        if tried.tobytes() not in choices:
            scaled = weight * tried[:, np.newaxis]
            found = rounded_product(rows / tried, mean / tried, scaled, quantize_columns(scaled))
            choices[tried.tobytes()] = tried, found
    divisors, plain = min(choices.values(), key=lambda choice: choice[1].error)
    covariance = inputs.covariance(name) / np.multiply.outer(divisors, divisors)
    scaled = weight * divisors[:, np.newaxis]
    found = rounded_product(
        rows / divisors, mean / divisors, scaled, quantize_compensating(scaled, covariance)
    )
    return divisors, found if found.error < plain.error else plain


def divisors_of(inputs: FloatArray, weights: FloatArray, least: float) -> FloatArray:
    """Give powers of two that bring inputs to the range of their weights, most of them 1.

    Parameters
    ----------
    inputs, weights : ndarray of float32 [channels]
        The largest absolute value of each.
    least : float
        The least exponent, up or down, that is not taken for 0.
    """
    x, w = inputs.astype(np.float64), weights.astype(np.float64)
    live = x > 0
    if not (live & (w > 0)).any():
        return np.ones(x.size, np.float32)
    # A channel that nothing reads may be as small as can be, so that it takes no range from others.
    w = np.where(w > 0, w, np.finfo(np.float32).tiny)
    exponents = np.zeros(x.size)
    exponents[live] = np.log2(x[live] / w[live]) / 2
    exponents -= np.median(exponents[live])
    exponents[~live | (np.abs(exponents) < least)] = 0
    limited = np.clip(np.rint(exponents), _SMALLEST_EXPONENT, _LARGEST_EXPONENT)
    divisors: FloatArray = np.exp2(limited).astype(np.float32)
    return divisors


@dataclass(frozen=True)
class RoundedProduct:
    """What int8 makes of a product.

    Parameters
    ----------
    matrix : QuantizedMatrix
    error : float
        How far it is off without `shift`, relative to its length: the mean of rows, each by its
        own length, and of all rows as one, where large tokens count for what they are; halved.
    shift : ndarray of float32 [outputs]
        What rounding the weights adds in the mean of rows.
    """

    matrix: QuantizedMatrix
    error: float
    shift: FloatArray


def rounded_product(
    rows: FloatArray, mean: FloatArray, weight: FloatArray, matrix: QuantizedMatrix
) -> RoundedProduct:
    """Compute a product in int8 as it is without VNNI, where the rows may have fewer levels.

    Parameters
    ----------
    rows : ndarray of float32 [rows, inputs]
    mean : ndarray of float32 [inputs]
        Of all rows, which may be more.
    weight : ndarray of float32 [inputs, outputs]
    matrix : QuantizedMatrix
        The weight, rounded.
    """
    shift: FloatArray = mean @ (matrix.weight - weight)
    wanted = rows @ weight
    rounded = round_rows(rows, row_levels(matrix.values)) @ matrix.weight - shift
    lengths = np.linalg.norm(wanted, axis=1)
    off = np.linalg.norm(rounded - wanted, axis=1)
    of_each = np.mean(off / np.where(lengths > 0, lengths, 1))
    of_all = np.linalg.norm(off) / max(np.linalg.norm(lengths), np.finfo(np.float32).tiny)
    return RoundedProduct(matrix, float(of_each + of_all) / 2, shift)


def round_rows(rows: FloatArray, levels: int) -> FloatArray:
    """Round rows as the operators do (`essentia_maest.making.row_functions`)."""
    low = rows.min(axis=1, keepdims=True)
    span = rows.max(axis=1, keepdims=True) - low
    step = np.where(span > 0, span, 1) / np.float32(levels)
    result: FloatArray = np.floor((rows - low) / step + np.float32(0.5)) * step + low
    return result


def _scaled(block: BlockWeights, divisors: Mapping[str, FloatArray]) -> BlockWeights:
    """Move all factors into the weights, but what fc2's input is divided by."""
    qkv_weight = block.qkv_weight * divisors["qkv"][:, np.newaxis]
    columns = _columns(divisors)
    return replace(
        block,
        norm1_scale=block.norm1_scale / divisors["qkv"],
        norm1_bias=block.norm1_bias / divisors["qkv"],
        qkv_weight=qkv_weight * columns,
        qkv_bias=block.qkv_bias * columns,
        projection_weight=block.projection_weight * divisors["projection"][:, np.newaxis],
        norm2_scale=block.norm2_scale / divisors["fc1"],
        norm2_bias=block.norm2_bias / divisors["fc1"],
        fc1_weight=block.fc1_weight * divisors["fc1"][:, np.newaxis],
        fc2_weight=block.fc2_weight * divisors["fc2"][:, np.newaxis],
    )


def _columns(divisors: Mapping[str, FloatArray]) -> FloatArray:
    """Give what queries, keys and values are multiplied with."""
    query_key, value = divisors["query_key"], divisors["projection"]
    return np.concatenate([np.reciprocal(query_key), query_key, np.reciprocal(value)])
