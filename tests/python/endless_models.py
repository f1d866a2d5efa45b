"""Model files that compute for ever: what a stranger may publish."""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

from untrained import UNTRAINED

ONE_OPERATOR = (helper.make_node("Identity", ["carried"], ["carried_on"]),)
"""The body of a loop that never ends, and does nothing but to be one operator after another."""


def lead_through_loop(
    model: onnx.ModelProto,
    name: str,
    body: Sequence[NodeProto] = ONE_OPERATOR,
    *,
    condition: str = "going",
    carried: str = "carried_on",
) -> None:
    """Lead the graph's input `name` through a Loop that never ends.

    Its body has the inputs "turn", "going" and "carried", and gives `condition` and `carried`.
    """
    loop = helper.make_graph(
        list(body),
        "for_ever",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info(condition, TensorProto.BOOL, []),
            helper.make_tensor_value_info(carried, TensorProto.FLOAT, None),
        ],
    )
    for node in model.graph.node:
        node.input[:] = [f"looped_{name}" if one == name else one for one in node.input]
    model.graph.initializer.append(helper.make_tensor("always", TensorProto.BOOL, [], [True]))
    model.graph.node.insert(
        0, helper.make_node("Loop", ["", "always", name], [f"looped_{name}"], body=loop)
    )


def write_endless(path: Path) -> Path:
    """Write the model that tests run, made endless; its metadata are those of any model."""
    model = onnx.load(UNTRAINED)
    lead_through_loop(model, "patches")
    onnx.save(model, path)
    return path
