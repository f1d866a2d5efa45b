"""Model files as they were before products were operators of ours: ONNX's own multiply."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import helper

from essentia_maest.making.graph_operators import DOMAIN
from essentia_maest.making.row_functions import AFTER_SUMS


def write_apart(source: str | Path, path: Path) -> Path:
    """Write a model whose products are nodes of their own, ``MatMulInteger``."""
    model = onnx.load(source)
    _replace_products(model.graph, _two_nodes)
    kept = [function for function in model.functions if function.name not in AFTER_SUMS]
    del model.functions[:]
    model.functions.extend(kept)
    onnx.save(model, path)
    return path


def write_unknown(source: str | Path, path: Path) -> Path:
    """Write a model whose products the engine has no kernels for, as on aarch64."""
    model = onnx.load(source)
    _replace_products(model.graph, _renamed)
    for function in model.functions:
        if function.name in AFTER_SUMS:
            function.name = _unknown(function.name)
    onnx.save(model, path)
    return path


def _replace_products(
    graph: onnx.GraphProto, change: Callable[[onnx.NodeProto], list[onnx.NodeProto]]
) -> None:
    nodes = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _replace_products(attribute.g, change)
        is_product = node.domain == DOMAIN and node.op_type in AFTER_SUMS
        nodes.extend(change(node) if is_product else [node])
    del graph.node[:]
    graph.node.extend(nodes)


def _two_nodes(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    integers, weights, *others = node.input
    sums = f"{node.output[0]}/sums"
    rest = onnx.NodeProto()
    rest.CopyFrom(node)
    rest.op_type = AFTER_SUMS[node.op_type]
    rest.input[:] = [sums, *others]
    return [helper.make_node("MatMulInteger", [integers, weights], [sums]), rest]


def _renamed(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    node.op_type = _unknown(node.op_type)
    return [node]


def _unknown(name: str) -> str:
    return f"Unknown{name}"
