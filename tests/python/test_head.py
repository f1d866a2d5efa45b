"""Heads from anywhere: our own, scikit-learn's, PyTorch's and Essentia's, and what is none."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import essentia_maest as maest
from essentia_helpers import sigmoid, write_head
from essentia_maest import InvalidArgumentError, ModelError
from essentia_maest.reading.head_description import LABELS_KEY, HeadEmbedding
from head_fixtures import DIM, SHA256, write_linear_head

import essentia.standard as es  # isort: skip

OPSETS = {"": 17, "ai.onnx.ml": 3}


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((9, DIM)).astype(np.float32)


@pytest.mark.parametrize("kind", ["multi-class", "multi-label"])
def test_ours_is_the_same_in_head_and_essentia(tmp_path, rows, kind):
    head = write_linear_head(tmp_path / "head.onnx", kind=kind)
    found = head.predict(rows)
    assert head.labels == ("folk", "rock", "Électro - house")
    np.testing.assert_array_equal(
        es.OnnxPredict2D(graphFilename=str(head.path), batchSize=0)(rows), found
    )
    np.testing.assert_array_equal(head.predict(rows.astype(np.float64)), found)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(head)).predict(rows), found)
    logits = maest.Head(head.path, output="logits", activation="none").predict(rows)
    activation = "softmax" if kind == "multi-class" else "sigmoid"
    again = maest.Head(head.path, output="logits", activation=activation).predict(rows)
    np.testing.assert_allclose(again, found, atol=1e-6)
    assert np.abs(logits).max() > 1
    assert head.predict(rows[:0]).shape == (0, 3)


def fitted(rows: np.ndarray, model) -> tuple[object, np.ndarray]:
    target = np.arange(len(rows)) % 3
    model = make_pipeline(StandardScaler(), model).fit(rows, target)
    return model, model.predict_proba(rows)


@pytest.mark.parametrize("model", [LogisticRegression(), MLPClassifier((8,), max_iter=20)])
def test_scikit_learns_heads_by_skl2onnx(tmp_path, rows, model):
    model, wanted = fitted(rows, model)
    path = tmp_path / "head.onnx"
    types = [("input", FloatTensorType([None, DIM]))]
    exported = to_onnx(
        model, initial_types=types, options={id(model): {"zipmap": False}}, target_opset=OPSETS
    )
    path.write_bytes(exported.SerializeToString())
    head = maest.Head(path)
    np.testing.assert_allclose(head.predict(rows), wanted, atol=1e-5)
    np.testing.assert_allclose(es.OnnxPredict2D(graphFilename=str(path))(rows), wanted, atol=1e-5)
    assert head.labels == ("class-000", "class-001", "class-002")
    path.with_suffix(".json").write_text(json.dumps({"classes": ["a", "b", "c"]}))
    assert maest.Head(path).labels == ("a", "b", "c")
    path.with_suffix(".json").write_text(json.dumps({"classes": ["a", "b"]}))
    with pytest.raises(ModelError, match="has 3 outputs, but its metadata name 2 classes"):
        maest.Head(path)


def test_skl2onnx_with_the_wrong_options(tmp_path, rows):
    model, _ = fitted(rows, LogisticRegression())
    path = tmp_path / "head.onnx"
    floats = [("input", FloatTensorType([None, DIM]))]
    path.write_bytes(to_onnx(model, initial_types=floats, target_opset=OPSETS).SerializeToString())
    with pytest.raises(InvalidArgumentError, match=r"a sequence or a map.*'zipmap': False"):
        maest.Head(path)
    with pytest.raises(RuntimeError, match=r"'zipmap': False"):
        es.OnnxPredict2D(graphFilename=str(path))
    exported = to_onnx(
        model,
        initial_types=[("input", DoubleTensorType([None, DIM]))],
        options={id(model): {"zipmap": False}},
        target_opset=OPSETS,
    )
    path.write_bytes(exported.SerializeToString())
    with pytest.raises(InvalidArgumentError, match=r"'input' float64 .*FloatTensorType"):
        maest.Head(path)
    several = MultiOutputClassifier(LogisticRegression())
    several.fit(rows, np.stack([np.arange(9) % 2, np.arange(9) % 3 % 2], 1))
    exported = to_onnx(several, initial_types=floats, target_opset=OPSETS)
    path.write_bytes(exported.SerializeToString())
    with pytest.raises(InvalidArgumentError, match="a sequence or a map"):
        maest.Head(path)


def test_an_opset_that_is_too_new(tmp_path):
    write_linear_head(tmp_path / "head.onnx")
    model = onnx.load(tmp_path / "head.onnx")
    model.opset_import[0].version = 99
    onnx.save(model, tmp_path / "opset.onnx")
    with pytest.raises(ModelError, match=r"target_opset=.*opset_version=17"):
        maest.Head(tmp_path / "opset.onnx")
    with pytest.raises(ModelError, match="does not exist or cannot be read$"):
        maest.Head(tmp_path / "opset-gone.onnx")


def test_pytorchs_logits_need_a_word(tmp_path, rows):
    weights = write_head(tmp_path / "head.onnx", ["n", DIM], DIM, outputs=["logits"])
    with pytest.raises(InvalidArgumentError, match="gives logits; wanted: activation 'sigmoid'"):
        maest.Head(tmp_path / "head.onnx")
    head = maest.Head(tmp_path / "head.onnx", activation="sigmoid")
    np.testing.assert_allclose(head.predict(rows), sigmoid(rows @ weights), atol=1e-6)
    found = maest.Head(tmp_path / "head.onnx", activation="softmax").predict(rows)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    weights = write_head(tmp_path / "unnamed.onnx", ["n", DIM], DIM, outputs=["31"])
    with pytest.raises(InvalidArgumentError, match=r"gives -\S+ to \S+, which is not 0 to 1"):
        maest.Head(tmp_path / "unnamed.onnx").predict(rows)
    raw = maest.Head(tmp_path / "unnamed.onnx", activation="none").predict(rows)
    np.testing.assert_allclose(raw, rows @ weights, atol=1e-5)
    with pytest.raises(InvalidArgumentError, match="activation is 'tanh'; wanted: sigmoid"):
        maest.Head(tmp_path / "unnamed.onnx", activation="tanh")


def test_a_head_on_all_tokens_as_the_public_ones(tmp_path):
    """Essentia's genre_discogs heads take [n, 1, tokens, dim] of block 12."""
    path = tmp_path / "genre_discogs400-fake.onnx"
    weights = write_head(path, ["n", 1, "tokens", DIM], DIM, outputs=["activations"])
    path.with_suffix(".json").write_text(json.dumps({"classes": list("abcde")}))
    tokens = np.random.default_rng(1).standard_normal((3, 7, DIM)).astype(np.float32)
    head = maest.Head(path)
    assert head.labels == tuple("abcde")
    wanted = sigmoid(tokens.mean(axis=1) @ weights)
    np.testing.assert_allclose(head.predict(tokens), wanted, atol=1e-6)  # as Model.tokens
    np.testing.assert_allclose(head.predict(tokens[:, None]), wanted, atol=1e-6)
    in_essentia = es.OnnxPredict2D(graphFilename=str(path), batchSize=0)(tokens[:, None])
    np.testing.assert_array_equal(in_essentia, head.predict(tokens))
    embedding = HeadEmbedding("m", SHA256, 12, ("cls",), DIM, {})
    with pytest.raises(InvalidArgumentError, match=r"takes all tokens .*model.tokens"):
        head.require_embedding(embedding, "OUT")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(DIM, np.float32), r"shape \[12\]; head .* wants \['any', 12\]"),
        (np.zeros((2, DIM + 1), np.float32), r"shape \[2, 13\]"),
        (np.zeros((2, 1, DIM), np.float32), r"shape \[2, 1, 12\]"),
        (np.zeros((2, DIM), np.int64), "are int64; wanted: float32"),
        (np.full((2, DIM), np.nan, np.float32), r"not finite: the first such value is \[0, 0\]"),
        ([["a"] * DIM], "wanted: float32"),
    ],
)
def test_other_values_are_refused(tmp_path, values, words):
    head = write_linear_head(tmp_path / "head.onnx")
    with pytest.raises(InvalidArgumentError, match=words):
        head.predict(values)


def test_embeddings_of_another_kind_are_refused(tmp_path):
    head = write_linear_head(tmp_path / "head.onnx")
    mine = head.embedding
    head.require_embedding(mine, "OUT")
    told = {
        "model": (("tiny", "cd" * 32, 7, mine.tokens, DIM), r"\(model\): --model tiny --block 7"),
        "block": (("tiny", SHA256, 6, mine.tokens, DIM), r"\(block\).*OUT has .*--block 6"),
        "tokens": (("tiny", SHA256, 7, ("cls",), DIM), r"\(tokens\).*--tokens cls "),
        "values": (("tiny", SHA256, 7, mine.tokens, 9), r"of 12 values; OUT has 9"),
    }
    for values, words in told.values():
        with pytest.raises(InvalidArgumentError, match=words):
            head.require_embedding(HeadEmbedding(*values, {}), "OUT")


def other_metadata(source: Path, target: Path, **changed: str) -> Path:
    model = onnx.load(source)
    for entry in model.metadata_props:
        name = entry.key.removeprefix("maest.head.")
        entry.value = changed.get(name, entry.value)
    onnx.save(model, target)
    return target


def test_damaged_heads(tmp_path):
    good = write_linear_head(tmp_path / "good.onnx").path
    bad = tmp_path / "bad.onnx"
    for changed, words in (
        ({"format_version": "2"}, "has format version 2; this essentia-maest reads 1"),
        ({"embedding": "{}"}, "tells of embeddings what cannot be read"),
        ({"embedding": "["}, "is not JSON"),
        ({"essentia_metadata": "[]"}, "is a list; an object is wanted"),
        ({"labels": "a\nb"}, "has 3 outputs, but its metadata name 2 classes"),
        ({"essentia_metadata": '{"classes": 3}'}, "classes that are no list of names"),
    ):
        with pytest.raises(ModelError, match=words):
            maest.Head(other_metadata(good, bad, **changed))
    bad.write_bytes(good.read_bytes()[:-40])
    with pytest.raises(ModelError, match="cannot be loaded"):
        maest.Head(bad)
    with pytest.raises(InvalidArgumentError, match="`output` is 'x', but .* has the outputs"):
        maest.Head(good, output="x")
    assert LABELS_KEY in {entry.key for entry in onnx.load(good).metadata_props}


def test_what_is_no_head(tmp_path):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "abc"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["c"])], "g", values[:2], values[2:]
    )
    onnx.save(
        helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]),
        tmp_path / "two.onnx",
    )
    with pytest.raises(InvalidArgumentError, match="a model with one is wanted"):
        maest.Head(tmp_path / "two.onnx")
