"""Weights rounded one input after another, each making up for those before it.

What rounding one weight adds to a product can be taken away again, in part, by weights that are not
rounded yet and whose inputs go with its own. How much each is changed follows from the covariance
of the inputs (Frantar et al., *GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers*, ICLR 2023). It costs nothing at run time, and lets weights be so coarse that rows
have all 256 levels on any processor (`LARGEST_PAIR`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from essentia_maest.making.graph_quantization import (
    LARGEST_PAIR,
    LARGEST_VALUE,
    QuantizedMatrix,
    column_scales,
    quantize_columns,
)
from essentia_maest.making.weights import FloatArray

DAMPING = 1.0
"""What is added to each input's variance, as a share of the mean variance. Less suits the music
looked at better, and other music worse, where that is little: a model 768 wide sees 1,686 rows of
the clip that ships, and fc2 has 3,072 inputs."""
_TOGETHER = 64
"""Inputs after which the others are changed, in one product."""


def quantize_compensating(
    weight: FloatArray, covariance: npt.NDArray[np.floating]
) -> QuantizedMatrix:
    """Quantise a matrix so that its products are near, rather than its weights.

    Parameters
    ----------
    weight : ndarray of float32 [inputs, outputs]
    covariance : ndarray [inputs, inputs]
        Of what it is fed, about the mean: what rounding adds in the mean is taken from the bias.

    Returns
    -------
    QuantizedMatrix
        With the scales of `quantize_columns`; each weight rounded, where inputs never vary.
    """
    variance = float(np.trace(covariance, dtype=np.float64)) / max(1, len(weight))
    if not 0 < variance < np.inf:  # NaN too
        return quantize_columns(weight)
    factor = _inverse_factor(covariance, DAMPING * variance)
    scale = column_scales(weight)
    usable = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float64)
    left = weight.astype(np.float64)
    values = np.zeros(weight.shape)
    for start in range(0, len(weight), _TOGETHER):
        end = min(start + _TOGETHER, len(weight))
        errors = np.empty((end - start, weight.shape[1]))
        for row in range(start, end):
            neighbour = values[row - 1] if row % 2 else np.zeros(weight.shape[1])
            values[row] = _within_pair(np.rint(left[row] / usable), neighbour)
            errors[row - start] = (left[row] - values[row] * usable) / factor[row, row]
            left[row + 1 : end] -= np.outer(factor[row, row + 1 : end], errors[row - start])
        left[end:] -= factor[start:end, end:].T @ errors
    return QuantizedMatrix.of(values.astype(np.int8), scale)


def _inverse_factor(
    covariance: npt.NDArray[np.floating], damping: float
) -> npt.NDArray[np.float64]:
    """Give the upper triangular U with U' U = (covariance + damping)^-1."""
    damped = covariance.astype(np.float64)
    damped[np.diag_indices_from(damped)] += damping
    # of the matrix turned round, so that the factor is upper triangular and its inverse is U
    factor = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
    inverse: npt.NDArray[np.float64] = np.linalg.inv(factor)
    return inverse


def _within_pair(
    values: npt.NDArray[np.float64], neighbour: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Limit integers, and what they and their neighbours add up to where both have one sign."""
    highest = np.minimum(LARGEST_VALUE, LARGEST_PAIR - np.maximum(neighbour, 0))
    lowest = np.maximum(-LARGEST_VALUE, -LARGEST_PAIR - np.minimum(neighbour, 0))
    limited: npt.NDArray[np.float64] = np.clip(values, lowest, highest)
    return limited
