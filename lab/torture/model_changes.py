"""Model files that are not what they say: bytes, metadata, shapes and graphs changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lab.torture.damage import damaged

ENDLESS, OUTSIDE = "endless loop", "data outside"
"""Kinds that must end by Ctrl-C, and must be refused."""

_VALUES = (
    "", " ", "0", "-1", "1", "2", "99999999999999999999", "2147483648", "-2147483648", "1e308",
    "nan", "inf", "-inf", "0x10", "1.5", "true", "false", "None", "{", "[]", "{}", "\x1b[31m",
    "\n" * 1000, "a\0b", "\u202e", "x" * 100_000, "[" * 50_000, "patches", "1,2,3",
)  # fmt: skip
_SIZES = (-1, 0, 1, 2, 3, 95, 96, 97, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 40, (1 << 63) - 1)
_OPERATORS = (
    "Relu", "Neg", "Identity", "Transpose", "Softmax", "MatMul", "Add", "Slice", "Gather",
    "Reshape", "ReduceMean", "NoSuchOperator", "Loop", "If", "Expand", "Tile", "NonZero", "Squeeze",
)  # fmt: skip


def changed(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Change a model file.

    Parameters
    ----------
    content : bytes
        A good one.
    chance : random.Random
        How.

    Returns
    -------
    kind : str
        What was changed.
    changed : bytes
        The file.
    """
    lot = chance.random()
    if lot < 0.4:
        return "bytes", damaged(content, chance)
    model = onnx.load_from_string(content)
    kind = ENDLESS if lot < 0.41 else chance.choice(_OFTEN)
    for _ in range(1 if kind in (ENDLESS, OUTSIDE) else chance.choice((1, 1, 2, 5))):
        _CHANGES[kind](model, chance)
    written = model.SerializeToString()
    if chance.random() < 0.05:
        return f"{kind}, bytes", damaged(written, chance)
    return kind, written


def _metadata(model: Any, chance: random.Random) -> None:
    entry = chance.choice(model.metadata_props)
    way = chance.randrange(5)
    if way == 0:
        model.metadata_props.remove(entry)
    elif way == 1:
        entry.value = entry.value[: chance.randrange(len(entry.value) + 1)]
    elif way == 2:
        entry.value = chance.choice(model.metadata_props).value
    elif way == 3 and entry.value.lstrip("-").isdecimal():
        entry.value = str(chance.choice([*_SIZES, int(entry.value) + chance.choice((-1, 1))]))
    else:
        entry.value = chance.choice(_VALUES)
    if chance.random() < 0.1:
        model.metadata_props.add(key=entry.key, value=chance.choice(_VALUES))


def _shape(model: Any, chance: random.Random) -> None:
    """Let the shape of an input, an output or a weight lie."""
    graph = model.graph
    if chance.random() < 0.5:
        tensor = chance.choice(graph.initializer)
        dims = list(tensor.dims)
        way = chance.randrange(4)
        if way == 0 or not dims:
            dims.append(chance.choice(_SIZES))
        elif way == 1:
            dims[chance.randrange(len(dims))] = chance.choice(_SIZES)
        elif way == 2:
            chance.shuffle(dims)
        else:
            tensor.raw_data = tensor.raw_data[: chance.randrange(len(tensor.raw_data) + 1)]
        del tensor.dims[:]
        tensor.dims.extend(dims)
        return
    value = chance.choice([*graph.input, *graph.output, *graph.value_info])
    dims = value.type.tensor_type.shape.dim
    if not dims or chance.random() < 0.2:
        dims.add(dim_value=chance.choice(_SIZES))
    else:
        dim = chance.choice(list(dims))
        if chance.random() < 0.3:
            dim.dim_param = chance.choice(("batch", "", "n", "-1"))
        else:
            dim.dim_value = chance.choice(_SIZES)
    if chance.random() < 0.2:
        value.type.tensor_type.elem_type = chance.randrange(25)


def _node(model: Any, chance: random.Random) -> None:
    """Change an operation: what it is, what it takes and gives, its attributes."""
    graph = model.graph
    node = chance.choice(graph.node)
    way = chance.randrange(5)
    if way == 0:
        node.op_type = chance.choice(_OPERATORS)
    elif way == 1:
        graph.node.remove(node)
    elif way == 2 and node.input:
        other = chance.choice(graph.node)
        names = [*other.output, *other.input, "no such tensor", ""]
        node.input[chance.randrange(len(node.input))] = chance.choice(names)
    elif way == 3 and node.attribute:
        attribute = chance.choice(node.attribute)
        attribute.i = chance.choice(_SIZES)
        if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(_SIZES)
    else:
        node.domain = chance.choice(("", "com.microsoft", "essentia", "x"))
        model.opset_import[0].version = chance.choice((1, 7, 17, 99, -1))


def _weights(model: Any, chance: random.Random) -> None:
    """Set numbers to what no number is, or to any."""
    tensor = chance.choice(model.graph.initializer)
    if tensor.data_type == TensorProto.FLOAT and tensor.raw_data:
        values = numpy_helper.to_array(tensor).copy().reshape(-1)
        if len(values):
            extreme = chance.choice((np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0))
            values[chance.randrange(len(values))] = extreme
            tensor.raw_data = values.tobytes()
    else:
        tensor.raw_data = damaged(tensor.raw_data, chance)


def _cut_output(model: Any, chance: random.Random) -> None:
    """Let an output have fewer or more values than the metadata promise, known when it runs."""
    graph = model.graph
    name = chance.choice([output.name for output in graph.output])
    for node in graph.node:
        for names in (node.input, node.output):
            for index, found in enumerate(names):
                if found == name:
                    names[index] = f"whole {name}"
    mark = f"{chance.randrange(1 << 30)}"
    constants = {
        "begin": 0,
        "length": chance.choice((0, 1, 2, 7, 1 << 40)),
        "axis": chance.choice((0, 1, -1)),
    }
    for key, value in constants.items():
        graph.initializer.append(
            numpy_helper.from_array(np.array([value], np.int64), f"{key}{mark}")
        )
    nodes = [
        ("Sub", [f"length{mark}", f"length{mark}"], f"zero{mark}"),
        ("Add", [f"zero{mark}", f"length{mark}"], f"end{mark}"),
        ("Slice", [f"whole {name}", f"begin{mark}", f"end{mark}", f"axis{mark}"], f"cut{mark}"),
        ("Concat", [f"cut{mark}"] * chance.choice((1, 2)), name),
    ]
    for operator, inputs, output in nodes:
        made = helper.make_node(operator, inputs, [output])
        if operator == "Concat":
            made.attribute.append(helper.make_attribute("axis", chance.choice((0, 1))))
        graph.node.append(made)


def _endless(model: Any, chance: random.Random) -> None:
    """Let an output wait for a loop without an end."""
    graph = model.graph
    name = chance.choice([output.name for output in graph.output])
    for node in graph.node:
        for names in (node.input, node.output):
            for index, found in enumerate(names):
                if found == name:
                    names[index] = f"whole {name}"
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still on"]),
            helper.make_node("Identity", ["value"], ["same value"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("times", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("same value", TensorProto.FLOAT, None),
        ],
    )
    graph.initializer.append(numpy_helper.from_array(np.array(1 << 62), "for ever"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "begin"))
    graph.node.append(
        helper.make_node("Loop", ["for ever", "begin", f"whole {name}"], [name], body=body)
    )


def _outside(model: Any, chance: random.Random) -> None:
    """Take a weight from a file that is none of the model's business."""
    tensor = chance.choice([one for one in model.graph.initializer if len(one.raw_data) >= 4])
    place = chance.choice(
        ("/etc/passwd", "../../../../etc/passwd", "/proc/self/environ", "..", "/etc/./hostname")
    )
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": place, "offset": "0", "length": "4"}
    if chance.random() < 0.3:
        entries["length"] = str(chance.choice(_SIZES))
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


_CHANGES: dict[str, Callable[[Any, random.Random], None]] = {
    "metadata": _metadata,
    "shapes": _shape,
    "graph": _node,
    "weights": _weights,
    "output": _cut_output,
    ENDLESS: _endless,
    OUTSIDE: _outside,
}
_OFTEN = ("metadata", "metadata", "shapes", "shapes", "graph", "weights", "output", OUTSIDE)
