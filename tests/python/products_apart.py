"""Model files as they were before products were operators of ours: ONNX's own multiply."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper

from essentia_maest.making.graph_operators import DOMAIN
from essentia_maest.making.row_functions import AFTER_SUMS


def write_apart(source: str | Path, path: Path) -> Path:
    """Write a model whose products are nodes of their own, ``MatMulInteger``."""
    model = onnx.load(source)
    _take_apart(model.graph)
    kept = [function for function in model.functions if function.name not in AFTER_SUMS]
    del model.functions[:]
    model.functions.extend(kept)
    onnx.save(model, path)
    return path


def _take_apart(graph: onnx.GraphProto) -> None:
    nodes = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _take_apart(attribute.g)
        if (node.domain, node.op_type in AFTER_SUMS) != (DOMAIN, True):
            nodes.append(node)
            continue
        integers, weights, *others = node.input
        sums = f"{node.output[0]}/sums"
        nodes.append(helper.make_node("MatMulInteger", [integers, weights], [sums]))
        rest = onnx.NodeProto()
        rest.CopyFrom(node)
        rest.op_type = AFTER_SUMS[node.op_type]
        rest.input[:] = [sums, *others]
        nodes.append(rest)
    del graph.node[:]
    graph.node.extend(nodes)
