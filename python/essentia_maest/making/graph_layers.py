"""A block's linear layers, and what is computed between them, in fp32 or in 8-bit integers.

In integers a product is two nodes: one that quantises rows, each with a range of its own, and one
that multiplies them and takes the sums. What comes before and after a layer (norm, GELU, the
residual) is part of those nodes, so that no tensor goes through memory for the sake of rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from essentia_maest.making.graph_operators import BIAS_GELU, DOMAIN
from essentia_maest.making.graph_quantization import QuantizedMatrix, row_levels
from essentia_maest.making.graph_scope import Scope
from essentia_maest.making.row_functions import (
    MULTIPLY,
    MULTIPLY_ADD,
    MULTIPLY_ADD_NORM_QUANTIZE,
    MULTIPLY_GELU_QUANTIZE,
    NORM_QUANTIZE,
    QUANTIZE,
)
from essentia_maest.making.weights import FloatArray


@dataclass(frozen=True)
class Norm:
    """A LayerNorm."""

    scale: FloatArray
    bias: FloatArray
    epsilon: float


@dataclass(frozen=True)
class Linear:
    """A linear layer, and which of the four matrices of a block it is, or which columns of it."""

    name: str
    matrix: str
    weight: FloatArray
    bias: FloatArray
    columns: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True)
class Rows:
    """What enters a linear layer: one tensor of fp32, or integers and their ranges."""

    tensors: tuple[str, ...]

    @property
    def is_integer(self) -> bool:
        """Whether the rows are integers."""
        return len(self.tensors) == 2


class Layers:
    """Adds the layers of one block to its graph.

    Parameters
    ----------
    scope : Scope
    integers : mapping of str to QuantizedMatrix
        Of ``qkv``, ``projection``, ``fc1`` and ``fc2`` those that are quantised.
    """

    def __init__(self, scope: Scope, integers: Mapping[str, QuantizedMatrix]) -> None:
        self.scope = scope
        self.integers = integers
        self._levels = {name: float(row_levels(matrix.values)) for name, matrix in integers.items()}

    def norm(self, tokens: str, name: str, norm: Norm, matrix: str) -> Rows:
        """Normalise tokens for a matrix."""
        if matrix not in self.integers:
            return Rows((fp32_norm(self.scope, tokens, name, norm),))
        table = self._norm_table(name, norm)
        return self._rows(NORM_QUANTIZE, [tokens, table], name, matrix, epsilon=norm.epsilon)

    def enter(self, values: str, matrix: str) -> Rows:
        """Take fp32 rows into a matrix."""
        if matrix not in self.integers:
            return Rows((values,))
        return self._rows(QUANTIZE, [values], f"{matrix}/input", matrix)

    def apply(self, rows: Rows, layer: Linear) -> str:
        """Give the layer's result in fp32."""
        if rows.is_integer:
            product = self._product(rows, layer)
            return self._ours(MULTIPLY, [*product, self._columns(layer)], layer.name)
        bias = self.scope.constant(f"{layer.name}/bias", layer.bias)
        return self.scope.node("Add", [*self._product(rows, layer), bias], layer.name)

    def add(self, rows: Rows, layer: Linear, residual: str, name: str) -> str:
        """Give the layer's result and the residual, added."""
        if not rows.is_integer:
            return self.scope.node("Add", [residual, self.apply(rows, layer)], name)
        product = self._product(rows, layer)
        return self._ours(MULTIPLY_ADD, [*product, self._columns(layer), residual], name)

    def add_and_norm(  # noqa: PLR0917
        self, rows: Rows, layer: Linear, residual: str, name: str, norm: Norm, matrix: str
    ) -> tuple[str, Rows]:
        """Add the residual, and normalise that for the next matrix: give both."""
        norm_name = "norm2"
        if not rows.is_integer or matrix not in self.integers:
            added = self.add(rows, layer, residual, name)
            return added, self.norm(added, norm_name, norm, matrix)
        product = self._product(rows, layer)
        outputs = self.scope.split_node(
            MULTIPLY_ADD_NORM_QUANTIZE,
            [*product, self._columns(layer), residual, self._norm_table(norm_name, norm)],
            [name, f"{norm_name}/integers", f"{norm_name}/ranges"],
            DOMAIN,
            epsilon=norm.epsilon,
            levels=self._levels[matrix],
        )
        return outputs[0], Rows(tuple(outputs[1:]))

    def gelu(self, rows: Rows, layer: Linear, gain: FloatArray, matrix: str) -> Rows:
        """Apply a layer, GELU and a factor for each column, for the next matrix."""
        if rows.is_integer and matrix in self.integers:
            product = self._product(rows, layer)
            table = self._columns(layer, gain)
            return self._rows(MULTIPLY_GELU_QUANTIZE, [*product, table], "gelu", matrix)
        if rows.is_integer:
            activated = self.scope.node("Gelu", [self.apply(rows, layer)], "gelu/activated")
        else:
            product = self._product(rows, layer)
            bias = self.scope.constant(f"{layer.name}/bias", layer.bias)
            name = "gelu" if (gain == 1).all() else "gelu/activated"
            activated = self.scope.node(BIAS_GELU, [*product, bias], name, DOMAIN)
        if not (gain == 1).all():
            factors = self.scope.constant("gelu/gain", gain)
            activated = self.scope.node("Mul", [activated, factors], "gelu")
        return self.enter(activated, matrix)

    def first(self, rows: Rows, end: str, first_token: str, token_axis: str) -> Rows:
        """Give the rows of the tokens before `end`."""
        names = ["asking/integers", "asking/ranges"] if rows.is_integer else ["asking"]
        return Rows(
            tuple(
                self.scope.node("Slice", [tensor, first_token, end, token_axis], name)
                for tensor, name in zip(rows.tensors, names, strict=True)
            )
        )

    def _product(self, rows: Rows, layer: Linear) -> tuple[str, ...]:
        """Give what leaves a matrix in fp32, or what is to be multiplied in integers."""
        name = layer.name
        if not rows.is_integer:
            weight = self.scope.constant(f"{name}/weight", layer.weight)
            product = self.scope.node("MatMul", [*rows.tensors, weight], f"{name}/product")
            return (product,)
        integers, ranges = rows.tensors
        quantized = self.integers[layer.matrix].columns(layer.columns)
        weight = self.scope.constant(f"{name}/weight", quantized.values)
        return integers, weight, ranges

    def _columns(self, layer: Linear, gain: FloatArray | None = None) -> str:
        quantized = self.integers[layer.matrix].columns(layer.columns)
        table = [quantized.scale, quantized.sums, layer.bias, *([] if gain is None else [gain])]
        return self.scope.constant(f"{layer.name}/columns", np.stack(table))

    def _norm_table(self, name: str, norm: Norm) -> str:
        return self.scope.constant(f"{name}/scale_bias", np.stack([norm.scale, norm.bias]))

    def _ours(self, operator: str, inputs: list[str], name: str) -> str:
        return self.scope.node(operator, inputs, name, DOMAIN)

    def _rows(
        self, operator: str, inputs: list[str], name: str, matrix: str, **attributes: float
    ) -> Rows:
        names = [f"{name}/integers", f"{name}/ranges"]
        attributes["levels"] = self._levels[matrix]
        return Rows(tuple(self.scope.split_node(operator, inputs, names, DOMAIN, **attributes)))


def fp32_norm(scope: Scope, inputs: str, name: str, norm: Norm) -> str:
    """Add a LayerNorm in fp32."""
    parameters = [
        scope.constant(f"{name}/scale", norm.scale),
        scope.constant(f"{name}/bias", norm.bias),
    ]
    return scope.node(
        "LayerNormalization", [inputs, *parameters], name, axis=-1, epsilon=float(norm.epsilon)
    )
