"""What is done to make an int8 model hold: which channels are scaled, which matrices stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from essentia_maest.making.graph_quantization import QuantizedMatrix, quantize_columns
from essentia_maest.making.weights import FloatArray

MATRICES = ("qkv", "projection", "fc1", "fc2")
"""The matrices of a block, in the order of computing."""


@dataclass(frozen=True)
class MovedChannels:
    """Channels whose scale was moved into weights.

    Parameters
    ----------
    block : int
        Counted from 1.
    matrix : str
        What they enter: ``qkv``, ``projection``, ``fc1`` or ``fc2``; ``query_key``: channels of
        queries, which keys are multiplied with.
    channels : tuple of int
    divisors : tuple of float
        What each was divided by: powers of two.
    """

    block: int
    matrix: str
    channels: tuple[int, ...]
    divisors: tuple[float, ...]


@dataclass(frozen=True)
class QuantizationPlan:
    """What of an int8 model is done otherwise than by default.

    Parameters
    ----------
    exact : tuple of tuple of str
        For each block the matrices that stay in fp32; empty: none of any block.
    gains : tuple of ndarray of float32 [hidden]
        For each block what the hidden values of its perceptron are multiplied with, before they are
        quantised; the rows of fc2 are divided by it already. Empty: by nothing.
    moved : tuple of MovedChannels
        What was done to the weights already, and by `gains`.
    rounded : tuple of mapping of str to QuantizedMatrix
        For each block its matrices as integers; empty: each weight is rounded.
    """

    exact: tuple[tuple[str, ...], ...] = ()
    gains: tuple[FloatArray, ...] = ()
    moved: tuple[MovedChannels, ...] = ()
    rounded: tuple[Mapping[str, QuantizedMatrix], ...] = ()

    def integers(self, number: int) -> tuple[str, ...]:
        """Give the matrices of a block, counted from 1, that are quantised."""
        exact = self.exact[number - 1] if self.exact else ()
        return tuple(matrix for matrix in MATRICES if matrix not in exact)

    def quantized(
        self, number: int, weights: Mapping[str, FloatArray]
    ) -> dict[str, QuantizedMatrix]:
        """Give those matrices of a block as integers, of its weights where `rounded` is empty."""
        rounded = self.rounded[number - 1] if self.rounded else {}
        return {
            name: rounded[name] if name in rounded else quantize_columns(weights[name])
            for name in self.integers(number)
        }

    def gain(self, number: int, hidden: int) -> FloatArray:
        """Give the factors of a block's hidden values."""
        if not self.gains:
            return np.ones(hidden, np.float32)
        return self.gains[number - 1]

    @property
    def exact_matrices(self) -> tuple[str, ...]:
        """Names of the matrices that stay in fp32, such as ``block 3 fc2``."""
        return tuple(
            f"block {number} {matrix}"
            for number, matrices in enumerate(self.exact, 1)
            for matrix in matrices
        )

    def __str__(self) -> str:
        """Tell it in one line."""
        count = sum(len(moved.channels) for moved in self.moved)
        largest = max((max(moved.divisors) for moved in self.moved), default=1.0)
        channels = (
            f"scales of {count} channels of {len(self.moved)} inputs moved into weights "
            f"(up to {largest:g} times smaller)"
            if count
            else "no channel had to be scaled"
        )
        left = ", ".join(self.exact_matrices) or "none"
        return f"{channels}; matrices left in fp32: {left}"

    def json(self) -> str:
        """Give the text that a model file keeps: all channels, divisors and matrices."""
        return json.dumps(
            {
                "moved_channels": [
                    {
                        "block": moved.block,
                        "matrix": moved.matrix,
                        "channels": moved.channels,
                        "divisors": moved.divisors,
                    }
                    for moved in self.moved
                ],
                "matrices_in_fp32": self.exact_matrices,
            }
        )
