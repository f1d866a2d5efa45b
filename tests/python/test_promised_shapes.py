"""Model files whose runs give something else than their metadata say: refused, never read past."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from untrained import UNTRAINED

AUDIO = np.random.default_rng(0).standard_normal(170_000).astype(np.float32)
PATCHES = 9 * 62


@pytest.fixture
def cut(tmp_path: Path) -> Callable[[str, int, int], maest.Model]:
    """Give a model of which an output is cut along one axis after it was computed."""

    def make(output: str, axis: int, length: int) -> maest.Model:
        model = onnx.load(UNTRAINED)
        for node in model.graph.node:
            node.output[:] = [f"whole_{name}" if name == output else name for name in node.output]
            node.input[:] = [f"whole_{name}" if name == output else name for name in node.input]
        numbers = {"begin": [0], "length": [length], "axis": [axis]}
        for name, values in numbers.items():
            tensor = onnx.numpy_helper.from_array(np.array(values, np.int64), f"cut_{name}")
            model.graph.initializer.append(tensor)
        for operator, inputs, outputs in (
            ("Sub", ["tap", "tap"], ["cut_zero"]),  # not known before it runs
            ("Add", ["cut_zero", "cut_length"], ["cut_end"]),
            ("Slice", [f"whole_{output}", "cut_begin", "cut_end", "cut_axis"], [output]),
        ):
            model.graph.node.append(onnx.helper.make_node(operator, inputs, outputs))
        path = tmp_path / "cut.onnx"
        onnx.save(model, path)
        return maest.Model(path, num_threads=1)

    return make


@pytest.mark.parametrize("kept", [0, 1, 2, PATCHES + 1])
def test_fewer_tokens_than_patches(cut, kept: int) -> None:
    model = cut("tokens", 1, kept)
    words = rf"gave 'tokens' of shape \[1, {kept}, {model.dim}\].*\[1, {PATCHES + 2}, {model.dim}\]"
    with pytest.raises(maest.ModelError, match=words):
        model.embed(AUDIO)
    with pytest.raises(maest.ModelError, match=words):
        model.tokens(AUDIO, block=1)


def test_all_of_them_are_taken(cut) -> None:
    """The same change to a file changes nothing as long as the shape is right."""
    model = cut("tokens", 1, PATCHES + 2)
    np.testing.assert_array_equal(model.embed(AUDIO), maest.Model(UNTRAINED).embed(AUDIO))
    assert model.tokens(AUDIO, block=1, patchout="F4T10").shape[1] == 2 + 5 * 7


@pytest.mark.parametrize("kept", [0, 200])
def test_fewer_activations_than_labels(cut, kept: int) -> None:
    with pytest.raises(
        maest.ModelError, match=rf"gave 'activations' of shape \[1, {kept}\].*\[1, 400\]"
    ):
        cut("activations", 1, kept).predict(AUDIO)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("output", ["activations", "tokens"])
def test_values_that_are_not_finite(tmp_path: Path, output: str, value: float) -> None:
    model = onnx.load(UNTRAINED)
    for node in model.graph.node:
        node.output[:] = [f"finite_{name}" if name == output else name for name in node.output]
        node.input[:] = [f"finite_{name}" if name == output else name for name in node.input]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), "hostile"))
    model.graph.node.append(onnx.helper.make_node("Add", [f"finite_{output}", "hostile"], [output]))
    onnx.save(model, tmp_path / "m.onnx")
    opened = maest.Model(tmp_path / "m.onnx", num_threads=1)
    with pytest.raises(maest.ModelError, match="from finite audio: its weights are damaged"):
        opened.predict(AUDIO) if output == "activations" else opened.embed(AUDIO)
