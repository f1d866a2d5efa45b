"""An int8 model out of weights and some music: scales are moved, what does not bear it is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from essentia_maest.making.calibration import watch
from essentia_maest.making.equalisation import equalise
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.quantization_plan import MATRICES, MovedChannels, QuantizationPlan
from essentia_maest.making.weights import BlockWeights, FloatArray, ModelWeights

LARGEST_ERROR = 0.1
"""Of a matrix's result, relative, in the mean of rows: more, and the matrix stays in fp32."""


@dataclass(frozen=True)
class QuantizedWeights:
    """Weights made ready for int8, and how the graph is made of them."""

    weights: ModelWeights
    plan: QuantizationPlan


def quantize(
    weights: ModelWeights, description: ModelDescription, signals: Iterable[FloatArray]
) -> QuantizedWeights:
    """Make weights ready for int8 with what a model computes of some music.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
    signals : iterable of ndarray of float32 [samples]
        16 kHz mono, at least one that is not empty.

    Returns
    -------
    QuantizedWeights

    Raises
    ------
    InvalidArgumentError
        If there is no music, or what the model computes of it is not finite.
    """
    blocks: list[BlockWeights] = []
    gains: list[FloatArray] = []
    exact: list[tuple[str, ...]] = []
    moved: list[MovedChannels] = []
    for number, (block, inputs) in enumerate(
        zip(weights.blocks, watch(weights, description, signals), strict=True), 1
    ):
        equalised = equalise(block, inputs)
        blocks.append(equalised.weights)
        gains.append(np.reciprocal(equalised.divisors["fc2"]))
        # not the other way round: NaN is left alone
        exact.append(
            tuple(name for name in MATRICES if not equalised.errors[name] <= LARGEST_ERROR)
        )
        moved += _moved(number, equalised.divisors)
    plan = QuantizationPlan(
        exact=tuple(exact) if any(exact) else (), gains=tuple(gains), moved=tuple(moved)
    )
    return QuantizedWeights(replace(weights, blocks=tuple(blocks)), plan)


def _moved(number: int, divisors: Mapping[str, FloatArray]) -> list[MovedChannels]:
    found = []
    for name, values in divisors.items():
        channels = np.flatnonzero(values != 1)
        if channels.size:
            chosen = tuple(values[channels].tolist())
            found.append(MovedChannels(number, name, tuple(channels.tolist()), chosen))
    return found
