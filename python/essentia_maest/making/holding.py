"""Int8 that holds: what it loses is measured, and matrices go back to fp32 until it is little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .metadata import ModelDescription
from .precision_check import PrecisionReport, compare, results_of
from .quantization import EqualisedWeights, Matrix, QuantizedWeights, equalise_model
from .weights import ModelWeights

_LARGEST_SHARE = 0.25
"""Of the matrices: with more of them in fp32, int8 would hardly be faster."""


def quantize_to_hold(
    weights: ModelWeights,
    description: ModelDescription,
    signals: Sequence[npt.NDArray[np.float32]],
) -> tuple[QuantizedWeights, PrecisionReport]:
    """Make weights ready for int8, so that its results are near those of fp32.

    Where they are not (`PrecisionReport.holds`), the matrices that lose most stay in fp32: one,
    two, four ... up to a quarter of all, until they are. If they never are, what came nearest is
    given.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
    signals : sequence of ndarray of float32 [samples]
        16 kHz mono, at least one that is not empty: what is looked at and measured on.

    Returns
    -------
    QuantizedWeights
    PrecisionReport
        How far it is from fp32.

    Raises
    ------
    InvalidArgumentError
        If there is no music, what the model computes of it is not finite, or the system's temporary
        folder has no room for a model.
    ModelError
        If the weights do not fit the mel front end, or are not finite.
    ImportError
        If ``essentia-maest[convert]`` is not installed.
    """
    equalised = equalise_model(weights, description, signals)
    exact = results_of(weights, description, "fp32", signals)
    best: tuple[QuantizedWeights, PrecisionReport] | None = None
    for left in _choices(equalised):
        tried = equalised.quantized(left)
        rounded = results_of(tried.weights, description, "int8", signals, tried.plan)
        report = replace(compare(exact, rounded), plan=tried.plan)
        if best is None or report.holds or report.lowest > best[1].lowest:
            best = tried, report
        if report.holds:
            break
    assert best is not None
    return best


def _choices(equalised: EqualisedWeights) -> Iterator[frozenset[Matrix]]:
    """Give sets of matrices that stay in fp32, each larger than the one before."""
    lossy, by_error = equalised.lossy, equalised.by_error()
    yield lossy
    others = [matrix for matrix in by_error if matrix not in lossy]
    most = int(_LARGEST_SHARE * len(by_error)) - len(lossy)
    counts = [2**power for power in range(len(others).bit_length()) if 2**power < most]
    for count in [*counts, most] if most > 0 else []:
        yield lossy | frozenset(others[:count])
