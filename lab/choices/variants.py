"""The same network quantised in other ways than `essentia_maest.making.graph` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from essentia_maest.making.graph import OPSET
from essentia_maest.making.graph_operators import attention_function, attention_node

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

FloatArray = NDArray[np.float32]
_MICROSOFT = "com.microsoft"
_ATTENTION = ("qkv", "query", "key_value", "projection")
_PERCEPTRON = ("fc1", "fc2")
_PATCHES = "projected"
_SEVEN_BITS = 64
"""The largest weight that ONNX Runtime without VNNI can add up with inputs of 8 bits:
2 * 255 * 64 fits into saturating 16 bits."""


@dataclass(frozen=True)
class Variant:
    """A way to quantise.

    Attributes
    ----------
    name : str
        As in tables.
    layers : tuple of str
        Which linear layers; the others stay in fp32.
    largest : int
        The largest absolute value of a weight: 64 (7 bits) or 127 (8 bits).
    by : str
        What has a scale of its own: ``"column"``, ``"matrix"`` or ``"block"`` of a column.
    zero_points : bool
        Whether weights are asymmetric about zero.
    block : int
        Inputs of a block: a power of two, halved until it divides the width.
    attention : bool
        Whether attention between tokens is in 8-bit integers, too, where the CPU is fast at them.
    """

    name: str
    layers: tuple[str, ...] = (*_ATTENTION, *_PERCEPTRON)
    largest: int = _SEVEN_BITS
    by: str = "column"
    zero_points: bool = False
    block: int = 128
    attention: bool = True


PER_TENSOR = Variant("7 bits, one scale per column, inputs with one range a tensor")
"""What `maest convert` wrote until version 0.2; the others change one thing in it."""
VARIANTS = (
    PER_TENSOR,
    Variant("7 bits, attention between tokens in fp32", attention=False),
    Variant("8 bits, one scale per column", largest=127),
    Variant("7 bits, one scale per matrix", by="matrix"),
    Variant("7 bits, one scale and one zero point per column", zero_points=True),
    Variant("8 bits, a scale for every 128 of a column", by="block", largest=127),
    Variant("7 bits, attention's layers in fp32", layers=_PERCEPTRON),
    Variant("7 bits, the perceptron in fp32", layers=_ATTENTION),
    Variant("7 bits, patches too", layers=(*_ATTENTION, *_PERCEPTRON, _PATCHES)),
)


def quantize(model: ModelProto, variant: Variant) -> ModelProto:
    """Quantise a model file.

    Parameters
    ----------
    model : onnx.ModelProto
        In fp32, as `essentia_maest.convert` writes it; stays as it is.
    variant : Variant

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ValueError
        If there is no such layer in the model.
    """
    from onnx import ModelProto, numpy_helper

    result = ModelProto()
    result.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in result.graph.initializer}
    replaced: set[str] = set()
    for graph in _graphs(result.graph):
        nodes = list(graph.node)
        biases = {node.input[0]: node for node in nodes if node.op_type == "Add"}
        del graph.node[:]
        skipped: set[str] = set()
        for node in nodes:
            if node.op_type != "MatMul" or _layer(node) not in variant.layers:
                if node.name not in skipped:
                    graph.node.append(node)
                continue
            name = node.input[1]
            bias, output = "", node.output[0]
            after = biases.get(node.output[0])
            if after is not None and _layer(node) != _PATCHES:
                bias, output = after.input[1], after.output[0]
                skipped.add(after.name)
            matrix = numpy_helper.to_array(weights[name])
            make = _blocks if variant.by == "block" else _whole
            quantized, constants = make(node, matrix, bias, output, variant)
            graph.node.append(quantized)
            replaced.add(name)
            result.graph.initializer.extend(
                numpy_helper.from_array(value, f"{name}/{part}")
                for part, value in constants.items()
            )
    if not replaced:
        raise ValueError(f"no layer of {', '.join(variant.layers)} in the model")
    if variant.attention:
        dim = _width(model)
        for graph in _graphs(result.graph):
            quantize_attention(graph, dim=dim)
        result.functions.append(attention_function(dim, OPSET))
    kept = [tensor for tensor in result.graph.initializer if tensor.name not in replaced]
    del result.graph.initializer[:]
    result.graph.initializer.extend(kept)
    return result


def _width(model: ModelProto) -> int:
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "patch_weight")
    return int(weight.dims[1])


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _layer(node: NodeProto) -> str:
    """Give a layer's name without its block: ``block_3/fc1/product`` is fc1."""
    return node.name.removesuffix("/product").rpartition("/")[2]


def _whole(
    node: NodeProto, matrix: FloatArray, bias: str, output: str, variant: Variant
) -> tuple[NodeProto, Mapping[str, NDArray[np.generic]]]:
    from onnx import helper

    axis = 0 if variant.by == "column" else None
    scale, zero_point = _ranges(matrix, variant, lambda values, of: of(values, axis=axis))
    values = np.clip(np.rint(matrix / scale + zero_point), -variant.largest, variant.largest)
    constants = {
        "values": values.astype(np.int8),
        "scale": np.asarray(scale, np.float32),
        "zero": np.asarray(zero_point, np.int8),
    }
    name = node.input[1]
    inputs = [node.input[0], *(f"{name}/{part}" for part in constants)]
    return helper.make_node(
        "DynamicQuantizeMatMul", [*inputs, bias] if bias else inputs, [output],
        name=output, domain=_MICROSOFT,
    ), constants  # fmt: skip


def _ranges(
    matrix: FloatArray,
    variant: Variant,
    over: Callable[[FloatArray, Callable[..., FloatArray]], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Give scales and zero points."""
    # 0 is always in the range, so that a zero point is a weight's value, too.
    low = np.minimum(over(matrix, np.min), 0)
    high = np.maximum(over(matrix, np.max), 0)
    if not variant.zero_points:
        peak = np.maximum(np.maximum(-low, high), np.finfo(np.float32).tiny)
        scales: FloatArray = np.divide(peak, variant.largest)
        return scales, np.zeros_like(peak)
    scale = np.maximum(high - low, np.finfo(np.float32).tiny) / (2 * variant.largest)
    zero_points: FloatArray = np.rint(-variant.largest - low / scale)
    return scale, zero_points


def _blocks(
    node: NodeProto, matrix: FloatArray, bias: str, output: str, variant: Variant
) -> tuple[NodeProto, Mapping[str, NDArray[np.generic]]]:
    """Quantise with MatMulNBits, whose zero is 128 and whose columns lie row by row."""
    from onnx import helper

    inputs, outputs = matrix.shape
    block = variant.block
    while inputs % block:
        block //= 2
    parts = np.ascontiguousarray(matrix.T).reshape(outputs, inputs // block, block)
    scale = np.maximum(np.abs(parts).max(axis=-1), np.finfo(np.float32).tiny) / variant.largest
    values = np.rint(parts / scale[..., np.newaxis]) + 128
    constants = {
        "values": values.astype(np.uint8),
        "scale": scale.reshape(-1).astype(np.float32),
    }
    name = node.input[1]
    wanted = [node.input[0], *(f"{name}/{part}" for part in constants)]
    wanted += ["", "", bias] if bias else []
    return helper.make_node(
        "MatMulNBits", wanted, [output], name=output, domain=_MICROSOFT,
        K=inputs, N=outputs, bits=8, block_size=block, accuracy_level=4,
    ), constants  # fmt: skip


def quantize_attention(graph: GraphProto, *, dim: int) -> None:
    """Put the engine's attention in 8-bit integers in the place of ONNX Runtime's in fp32.

    Parameters
    ----------
    graph : onnx.GraphProto
        One graph, without its branches; is changed.
    dim : int
        The model's width.
    """
    nodes = list(graph.node)
    splits = {output: node for node in nodes if node.op_type == "Split" for output in node.output}
    replaced: list[str] = []
    del graph.node[:]
    for node in nodes:
        if node.op_type == "MultiHeadAttention":
            query, key = (
                splits[name].input[0] if name in splits else name for name in node.input[:2]
            )
            (heads,) = (entry.i for entry in node.attribute if entry.name == "num_heads")
            output = node.output[0]
            node = attention_node(query, key, output, heads=heads, dim=dim)  # noqa: PLW2901
            replaced += [query, key]
        graph.node.append(node)
    kept = [node for node in graph.node if node.op_type != "Split" or node.input[0] not in replaced]
    del graph.node[:]
    graph.node.extend(kept)
