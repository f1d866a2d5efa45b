"""An int8 model out of weights and some music: scales are moved, what does not bear it is left."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from essentia_maest.making.calibration import watch
from essentia_maest.making.equalisation import EqualisedBlock, equalise
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.quantization_plan import MATRICES, MovedChannels, QuantizationPlan
from essentia_maest.making.weights import BlockWeights, FloatArray, ModelWeights

LARGEST_ERROR = 0.1
"""Of a matrix's result, relative: more, and the matrix stays in fp32."""

Matrix = tuple[int, str]
"""Block, counted from 1, and one of `MATRICES`."""


@dataclass(frozen=True)
class QuantizedWeights:
    """Weights made ready for int8, and how the graph is made of them."""

    weights: ModelWeights
    plan: QuantizationPlan


@dataclass(frozen=True)
class EqualisedWeights:
    """Weights whose channels were scaled, before it is decided what is quantised.

    Parameters
    ----------
    weights : ModelWeights
        As they were.
    blocks : tuple of EqualisedBlock
        What became of each of their blocks.
    """

    weights: ModelWeights
    blocks: tuple[EqualisedBlock, ...]

    @property
    def errors(self) -> dict[Matrix, float]:
        """What each matrix loses: `RoundedProduct.error`."""
        return {
            (number, name): block.errors[name]
            for number, block in enumerate(self.blocks, 1)
            for name in MATRICES
        }

    def by_error(self) -> list[Matrix]:
        """List all matrices, those that lose most first."""
        errors = self.errors
        # NaN is the worst
        return sorted(errors, key=lambda one: -np.nan_to_num(errors[one], nan=np.inf))

    @property
    def lossy(self) -> frozenset[Matrix]:
        """Matrices that lose more than `LARGEST_ERROR`."""
        # not the other way round: NaN is left alone
        return frozenset(one for one, error in self.errors.items() if not error <= LARGEST_ERROR)

    def quantized(self, exact: Collection[Matrix] | None = None) -> QuantizedWeights:
        """Make the weights ready for int8.

        Parameters
        ----------
        exact : collection of tuple of int and str, optional
            Block, counted from 1, and name of the matrices that stay in fp32; `lossy` by default.
        """
        if exact is None:
            exact = self.lossy
        blocks: list[BlockWeights] = []
        left: list[tuple[str, ...]] = []
        for number, block in enumerate(self.blocks, 1):
            left.append(tuple(name for name in MATRICES if (number, name) in exact))
            shifts = {name: block.shifts[name] for name in MATRICES if name not in left[-1]}
            blocks.append(_less(block.weights, shifts))
        plan = QuantizationPlan(
            exact=tuple(left) if any(left) else (),
            gains=tuple(np.reciprocal(block.divisors["fc2"]) for block in self.blocks),
            moved=tuple(
                moved
                for number, block in enumerate(self.blocks, 1)
                for moved in _moved(number, block.divisors)
            ),
            rounded=tuple(block.rounded for block in self.blocks),
        )
        return QuantizedWeights(replace(self.weights, blocks=tuple(blocks)), plan)


def equalise_model(
    weights: ModelWeights, description: ModelDescription, signals: Iterable[FloatArray]
) -> EqualisedWeights:
    """Scale the channels of all blocks by what a model computes of some music.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
    signals : iterable of ndarray of float32 [samples]
        16 kHz mono, at least one that is not empty.

    Returns
    -------
    EqualisedWeights

    Raises
    ------
    InvalidArgumentError
        If there is no music, or what the model computes of it is not finite.
    """
    seen = watch(weights, description, signals)
    blocks = zip(weights.blocks, seen, strict=True)
    return EqualisedWeights(weights, tuple(equalise(block, inputs) for block, inputs in blocks))


def _less(block: BlockWeights, shifts: Mapping[str, FloatArray]) -> BlockWeights:
    """Take from the biases what rounding the weights adds."""
    names = {name: f"{name}_bias" for name in shifts}
    biases = {names[name]: getattr(block, names[name]) - shift for name, shift in shifts.items()}
    return replace(block, **biases)


def _moved(number: int, divisors: Mapping[str, FloatArray]) -> list[MovedChannels]:
    found = []
    for name, values in divisors.items():
        channels = np.flatnonzero(values != 1)
        if channels.size:
            chosen = tuple(values[channels].tolist())
            found.append(MovedChannels(number, name, tuple(channels.tolist()), chosen))
    return found
