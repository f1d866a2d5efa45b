"""Operators of ours in graphs that others made: sizes that do not fit are refused, not computed."""

import platform
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.making.row_functions import AFTER_SUMS
from untrained import UNTRAINED

AUDIO = np.random.default_rng(0).standard_normal(170_000).astype(np.float32)
OURS = "essentia_maest"


def has_kernel(operator: str) -> bool:
    """Say whether an operator is computed by the engine here; if not, ONNX Runtime checks."""
    model = maest.Model("default" if operator == "QuantizedAttention" else UNTRAINED)
    return model.operators.get(operator, "onnxruntime") != "onnxruntime"


def with_node(path: Path, operator: str, first: str, second: np.ndarray, **sizes: int) -> Path:
    """Write a model that gives what a node of ours makes of `first` and `second` as activations."""
    model = onnx.load(UNTRAINED)
    model.graph.initializer.append(numpy_helper.from_array(second, "hostile_second"))
    for node in model.graph.node:
        node.output[:] = ["honest" if name == "activations" else name for name in node.output]
    model.graph.node.append(
        helper.make_node(operator, [first, "hostile_second"], ["activations"], domain=OURS, **sizes)
    )
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("shape", [(3,), (0,), (257,), (256, 1), (1, 256)])
def test_a_bias_that_does_not_fit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    if not has_kernel("BiasGelu"):
        pytest.skip("no kernel of ours on this CPU")
    path = with_node(tmp_path / "m.onnx", "BiasGelu", "patches", np.ones(shape, np.float32))
    with pytest.raises(maest.ModelError, match="BiasGelu: wanted is a bias of one value per"):
        maest.Model(path).predict(AUDIO)


@pytest.mark.parametrize(
    ("heads", "dim", "keys", "words"),
    [
        (0, 64, (1, 5, 128), "0 heads and dim 64"),
        (7, 64, (1, 5, 128), "7 heads and dim 64"),
        (1, -64, (1, 5, 128), "dim -64"),
        (1, 1 << 62, (1, 5, 128), "heads and dim"),
        (4, 512, (1, 5, 1024), r"queries of \[batch, tokens, at least 512\]"),
        (4, 64, (1, 5, 127), r"keys and values of \[batch, tokens, at least 128\]"),
        (4, 64, (2, 5, 128), "keys of 2 x 5 tokens do not go with queries of 1 x"),
        (4, 64, (1, 0, 128), "keys of 1 x 0"),
        (4, 64, (5, 128), "keys and values"),
    ],
)
def test_attention_that_does_not_fit(
    tmp_path: Path, heads: int, dim: int, keys: tuple[int, ...], words: str
) -> None:
    if not has_kernel("QuantizedAttention"):
        pytest.skip("no kernel of ours on this CPU")
    second = np.ones(keys, np.float32)
    path = with_node(
        tmp_path / "m.onnx", "QuantizedAttention", "patches", second, heads=heads, dim=dim
    )
    with pytest.raises(maest.ModelError, match=words):
        maest.Model(path).predict(AUDIO)


def test_results_of_another_shape(tmp_path: Path) -> None:
    """What fits is computed, and is not what the metadata promise."""
    if not has_kernel("BiasGelu"):
        pytest.skip("no kernel of ours on this CPU")
    path = with_node(tmp_path / "m.onnx", "BiasGelu", "patches", np.ones(256, np.float32))
    with pytest.raises(maest.ModelError, match=r"'activations' of shape \[1, 558, 256\]"):
        maest.Model(path).predict(AUDIO)


INTEGERS = np.ones((1, 5, 8), np.int32)
RANGES = np.ones((1, 5, 2), np.float32)
COLUMNS = np.ones((3, 8), np.float32)
BYTES = np.ones((1, 5, 8), np.uint8)
WEIGHTS = np.ones((8, 8), np.int8)


@pytest.mark.parametrize(
    ("operator", "inputs", "words"),
    [
        ("DequantizeRows", (INTEGERS, RANGES[:, :4], COLUMNS), "a range of each row"),
        ("DequantizeRows", (INTEGERS, RANGES[..., :1], COLUMNS), "a range of each row"),
        ("DequantizeRows", (INTEGERS, RANGES, COLUMNS[:2]), "3 values of each column"),
        ("DequantizeRows", (INTEGERS, RANGES, COLUMNS[:, :7]), "3 values of each column"),
        ("DequantizeRows", (INTEGERS[..., :0], RANGES, COLUMNS), "rows of at least one value"),
        ("AddRows", (INTEGERS, RANGES, COLUMNS, RANGES), "rows to add that are as many"),
        ("MultiplyRows", (BYTES, WEIGHTS[:7], RANGES, COLUMNS), "weights of 8 inputs"),
        ("MultiplyRows", (BYTES, WEIGHTS[:, :0], RANGES, COLUMNS), "weights of 8 inputs"),
        ("MultiplyRows", (BYTES, WEIGHTS[0], RANGES, COLUMNS), "weights of 8 inputs"),
        ("MultiplyRows", (BYTES[..., :0], WEIGHTS[:0], RANGES, COLUMNS), "rows of at least one"),
        ("MultiplyRows", (BYTES, WEIGHTS[:, :5], RANGES, COLUMNS), "3 values of each column"),
        ("MultiplyAddRows", (BYTES, WEIGHTS, RANGES, COLUMNS, RANGES), "rows to add that are as"),
    ],
)
def test_rows_that_do_not_fit(
    tmp_path: Path, operator: str, inputs: tuple[np.ndarray, ...], words: str
) -> None:
    if _core.kernels()["rows"] == "onnxruntime":
        pytest.skip("no kernel of ours on this CPU")
    if operator.startswith("Multiply") and platform.machine() != "x86_64":
        pytest.skip("no products of ours on this CPU")
    model = onnx.load(UNTRAINED)
    names = [f"hostile_{number}" for number in range(len(inputs))]
    model.graph.initializer.extend(map(numpy_helper.from_array, inputs, names))
    for node in model.graph.node:
        node.output[:] = ["honest" if name == "activations" else name for name in node.output]
    model.graph.node.append(helper.make_node(operator, names, ["activations"], domain=OURS))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(maest.ModelError, match=words):
        maest.Model(tmp_path / "m.onnx").predict(AUDIO)


@pytest.mark.parametrize(
    ("operator", "weights"),
    [
        *((operator, "computed") for operator in AFTER_SUMS),
        *(("MultiplyRows", weights) for weights in ("given", "a branch's", "nobody's")),
    ],
)
def test_weights_that_may_change_are_refused(tmp_path: Path, operator: str, weights: str) -> None:
    """They are packed once: what changes afterwards would be computed as it was before."""
    model = onnx.load(UNTRAINED)
    tensors = {"bytes": BYTES, "ranges": RANGES, "columns": COLUMNS, "constants": WEIGHTS}
    for name, values in tensors.items():
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    product = helper.make_node(
        operator, ["bytes", "weights", "ranges", "columns"], ["product"], domain=OURS
    )
    if weights == "computed":
        model.graph.node.append(helper.make_node("Identity", ["constants"], ["weights"]))
    elif weights == "given":
        model.graph.initializer.append(numpy_helper.from_array(WEIGHTS, "weights"))
        model.graph.input.append(
            helper.make_tensor_value_info("weights", onnx.TensorProto.INT8, WEIGHTS.shape)
        )
    elif weights == "a branch's":
        # constant where the node is, and something else elsewhere
        model.graph.initializer.append(numpy_helper.from_array(WEIGHTS, "weights"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        other = helper.make_node("Identity", ["constants"], ["weights"])
        result = helper.make_tensor_value_info("weights", onnx.TensorProto.INT8, WEIGHTS.shape)
        branch = helper.make_graph([other], "branch", [], [result])
        model.graph.node.append(
            helper.make_node("If", ["yes"], ["any"], then_branch=branch, else_branch=branch)
        )
    model.graph.node.append(product)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(maest.ModelError, match="multiplies integers by 'weights', which is comp"):
        maest.Model(tmp_path / "m.onnx")
