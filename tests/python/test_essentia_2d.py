"""OnnxPredict2D: heads of one's own and heads on all tokens, in both modes."""

from pathlib import Path

import essentia
import numpy as np
import onnx
import pytest

import essentia_maest  # noqa: F401 - adds the algorithms
from essentia_helpers import DIM, RATE, TOKENS, noise, sigmoid, write_head
from untrained import UNTRAINED

import essentia.standard as es  # isort: skip
import essentia.streaming as ess  # isort: skip


@pytest.fixture(scope="module")
def file() -> str:
    return str(UNTRAINED)


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((7, DIM)).astype(np.float32)


def stream_rows(head, values: np.ndarray) -> np.ndarray:
    """Run VectorInput >> head >> Pool."""
    source, pool = ess.VectorInput(values), essentia.Pool()
    source.data >> head.features
    head.predictions >> (pool, "predictions")
    essentia.run(source)
    return pool["predictions"]


def test_rows(tmp_path: Path, rows: np.ndarray) -> None:
    head = str(tmp_path / "head.onnx")
    weights = write_head(Path(head), ["n", DIM], DIM)
    found = es.OnnxPredict2D(graphFilename=head)(rows)
    assert found.shape == (7, 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, sigmoid(rows @ weights), atol=1e-6)
    logits = es.OnnxPredict2D(graphFilename=head, output="logits", input="embeddings")(rows)
    np.testing.assert_allclose(logits, rows @ weights, atol=1e-5)


@pytest.mark.parametrize("batch_size", [-1, 0, 1, 3, 7, 64])
def test_streaming_is_standard(tmp_path: Path, rows: np.ndarray, batch_size: int) -> None:
    head = str(tmp_path / "head.onnx")
    write_head(Path(head), ["n", DIM], DIM)
    parameters = {"graphFilename": head, "batchSize": batch_size}
    found = stream_rows(ess.OnnxPredict2D(**parameters), rows)
    np.testing.assert_array_equal(found, es.OnnxPredict2D(**parameters)(rows))


def test_one_row_at_a_time(tmp_path: Path, rows: np.ndarray) -> None:
    """A graph with a fixed batch of 1 takes any number of rows."""
    head = str(tmp_path / "head.onnx")
    weights = write_head(Path(head), [1, DIM], DIM)
    found = es.OnnxPredict2D(graphFilename=head, batchSize=4)(rows)
    np.testing.assert_allclose(found, sigmoid(rows @ weights), atol=1e-6)
    write_head(Path(head), [8, DIM], DIM)
    with pytest.raises(RuntimeError, match="batch, is fixed at 8; wanted is any, or 1"):
        es.OnnxPredict2D(graphFilename=head)


@pytest.mark.parametrize("shape", [["n", 1, TOKENS, DIM], ["n", 1, "t", DIM], ["n", "t", DIM]])
def test_heads_on_all_tokens(tmp_path: Path, file: str, shape: list) -> None:
    """As genre_discogs400: all tokens of block 12, straight from OnnxPredictMAEST."""
    path = tmp_path / "head.onnx"
    weights = write_head(path, shape, DIM)
    audio = noise(25 * RATE)
    tokens = es.OnnxPredictMAEST(graphFilename=file, output="PartitionedCall/Identity_12")(audio)
    predict = es.OnnxPredict2D(graphFilename=str(path))
    assert predict.inputType("features") == "TENSOR_REAL"
    found = predict(tokens)
    wanted = sigmoid(tokens[:, 0].mean(axis=1, dtype=np.float64) @ weights)
    np.testing.assert_allclose(found, wanted, atol=1e-5)

    source, pool = ess.VectorInput(audio), essentia.Pool()
    embed = ess.OnnxPredictMAEST(graphFilename=file, output="PartitionedCall/Identity_12")
    head = ess.OnnxPredict2D(graphFilename=str(path))
    source.data >> embed.signal
    embed.predictions >> head.features
    head.predictions >> (pool, "predictions")
    essentia.run(source)
    np.testing.assert_array_equal(pool["predictions"], found)


@pytest.mark.parametrize("batch_size", [1, 2, -1])
def test_stacked_embeddings(tmp_path: Path, file: str, batch_size: int) -> None:
    """A classifier of one's own on cls, dist and average: a tensor's patches become rows."""
    path = str(tmp_path / "head.onnx")
    weights = write_head(Path(path), ["n", 3 * DIM], 3 * DIM)
    audio = noise(35 * RATE)
    parameters = {"graphFilename": file, "output": "embeddings", "batchSize": batch_size}
    embeddings = es.OnnxPredictMAEST(**parameters)(audio)
    predict = es.OnnxPredict2D(graphFilename=path, inputType="tensor")
    found = predict(embeddings)
    np.testing.assert_allclose(found, sigmoid(embeddings.reshape(3, -1) @ weights), atol=1e-5)
    rows = np.ascontiguousarray(embeddings.reshape(3, -1))
    np.testing.assert_array_equal(found, es.OnnxPredict2D(graphFilename=path)(rows))

    source, pool = ess.VectorInput(audio), essentia.Pool()
    embed = ess.OnnxPredictMAEST(**parameters)
    head = ess.OnnxPredict2D(graphFilename=path, inputType="tensor")
    source.data >> embed.signal
    embed.predictions >> head.features
    head.predictions >> (pool, "predictions")
    essentia.run(source)
    np.testing.assert_array_equal(pool["predictions"], found)
    pool.clear()
    essentia.reset(source)
    essentia.run(source)
    np.testing.assert_array_equal(pool["predictions"], found)


def test_one_token_through_essentias_own_algorithms(tmp_path: Path, file: str) -> None:
    path = str(tmp_path / "head.onnx")
    write_head(Path(path), ["n", DIM], DIM)
    audio = noise(25 * RATE)
    parameters = {"graphFilename": file, "output": "embeddings", "tokens": ["cls"]}
    source, pool = ess.VectorInput(audio), essentia.Pool()
    embed = ess.OnnxPredictMAEST(**parameters)
    to_vectors = ess.TensorToVectorReal()
    head = ess.OnnxPredict2D(graphFilename=path)
    source.data >> embed.signal
    embed.predictions >> to_vectors.tensor
    to_vectors.frame >> head.features
    head.predictions >> (pool, "predictions")
    essentia.run(source)
    embeddings = es.OnnxPredictMAEST(**parameters)(audio)
    wanted = es.OnnxPredict2D(graphFilename=path)(np.ascontiguousarray(embeddings[:, 0, 0]))
    np.testing.assert_array_equal(pool["predictions"], wanted)


def test_last_patch_of_other_length(tmp_path: Path, file: str) -> None:
    """Patches of different numbers of tokens go through the same head, in batches of their own."""
    path = str(tmp_path / "head.onnx")
    write_head(Path(path), ["n", 1, "t", DIM], DIM)
    source, pool = ess.VectorInput(noise(25 * RATE)), essentia.Pool()
    embed = ess.OnnxPredictMAEST(
        graphFilename=file, output="PartitionedCall/Identity_3", lastPatchMode="pad"
    )
    head = ess.OnnxPredict2D(graphFilename=path, batchSize=64)
    source.data >> embed.signal
    embed.predictions >> head.features
    head.predictions >> (pool, "predictions")
    essentia.run(source)
    assert pool["predictions"].shape == (3, 5)


def test_outputs_are_probed(tmp_path: Path, rows: np.ndarray) -> None:
    path = tmp_path / "head.onnx"
    weights = write_head(path, ["n", DIM], DIM, outputs=["anything"])
    found = es.OnnxPredict2D(graphFilename=str(path))(rows)
    np.testing.assert_allclose(found, rows @ weights, atol=1e-5)
    write_head(path, ["n", DIM], DIM, outputs=["this", "that"])
    with pytest.raises(RuntimeError, match=r"'this' float32 \[any, 5\], 'that' .*`output` must"):
        es.OnnxPredict2D(graphFilename=str(path))


def test_what_does_not_fit(tmp_path: Path, file: str, rows: np.ndarray) -> None:
    flat, deep = str(tmp_path / "flat.onnx"), str(tmp_path / "deep.onnx")
    write_head(Path(flat), ["n", DIM], DIM)
    write_head(Path(deep), ["n", 1, "t", DIM], DIM)
    for parameters, words in [
        ({"graphFilename": str(tmp_path / "missing.onnx")}, "model .*missing.onnx.* file"),
        ({"graphFilename": file}, "'patches' float32 .* a model with one is wanted"),
        ({"graphFilename": flat, "input": "model/Placeholder"}, "but .* inputs 'embeddings'"),
        ({"graphFilename": flat, "output": "model/Sigmoid"}, "but .* outputs 'logits'"),
        ({"graphFilename": deep, "inputType": "rows"}, "wanted is 'tensor'"),
        ({"graphFilename": flat, "inputType": "matrix"}, "not within"),
        ({"graphFilename": flat, "batchSize": -2}, "not within"),
        ({"graphFilename": flat, "threads": -1}, "not within"),
    ]:
        with pytest.raises(RuntimeError, match=words):
            es.OnnxPredict2D(**parameters)
    with pytest.raises(RuntimeError, match="no model is configured"):
        es.OnnxPredict2D()(rows)

    predict = es.OnnxPredict2D(graphFilename=flat)
    wanted = predict(rows)
    with pytest.raises(RuntimeError, match=r"takes \[any, 64\], but the features are \[any, 63\]"):
        predict(np.ascontiguousarray(rows[:, 1:]))
    with pytest.raises(RuntimeError, match="features are empty"):
        predict(rows[:0])
    with pytest.raises(RuntimeError, match="`output` is 'nothing'"):
        predict.configure(graphFilename=flat, output="nothing")
    np.testing.assert_array_equal(predict(rows), wanted)
    with pytest.raises(RuntimeError, match=r"takes \[any, 1, any, 64\], but .* \[any, 1, 3, 5\]"):
        es.OnnxPredict2D(graphFilename=deep)(np.zeros((2, 1, 3, 5), np.float32))
    with pytest.raises(RuntimeError, match="OnnxPredict2D: .*63"):
        stream_rows(ess.OnnxPredict2D(graphFilename=flat), np.ascontiguousarray(rows[:, 1:]))


@pytest.mark.parametrize("kept", [0, 1, 6])
def test_another_number_of_rows_comes_back(tmp_path: Path, rows: np.ndarray, kept: int) -> None:
    """A head that gives fewer rows than it took, or none: refused, never read past."""
    write_head(tmp_path / "head.onnx", ["n", DIM], DIM, outputs=("activations",))
    model = onnx.load(tmp_path / "head.onnx")
    model.graph.node[-1].output[0] = "whole"
    for name, value in (("begin", 0), ("end", kept), ("axis", 0)):
        tensor = onnx.numpy_helper.from_array(np.array([value], np.int64), name)
        model.graph.initializer.append(tensor)
    cut = onnx.helper.make_node("Slice", ["whole", "begin", "end", "axis"], ["activations"])
    model.graph.node.append(cut)
    onnx.save(model, tmp_path / "head.onnx")
    predict = es.OnnxPredict2D(graphFilename=str(tmp_path / "head.onnx"), batchSize=0)
    with pytest.raises(RuntimeError, match=rf"\[{kept}, 5\] for 7 rows.*must be their number"):
        predict(rows)


def test_a_connected_input_keeps_its_type(tmp_path: Path, rows: np.ndarray) -> None:
    flat, deep = str(tmp_path / "flat.onnx"), str(tmp_path / "deep.onnx")
    write_head(Path(flat), ["n", DIM], DIM)
    write_head(Path(deep), ["n", 1, "t", DIM], DIM)
    source, pool = ess.VectorInput(rows), essentia.Pool()
    head = ess.OnnxPredict2D(graphFilename=flat)
    source.data >> head.features
    head.predictions >> (pool, "predictions")
    with pytest.raises(RuntimeError, match="connected and carries vectors"):
        head.configure(graphFilename=deep)
    head.configure(graphFilename=flat, output="logits")
    essentia.run(source)
    wanted = es.OnnxPredict2D(graphFilename=flat, output="logits")(rows)
    np.testing.assert_array_equal(pool["predictions"], wanted)
    standard = es.OnnxPredict2D(graphFilename=flat)
    standard.configure(graphFilename=deep)
    assert standard.inputType("features") == "TENSOR_REAL"
    standard.configure(graphFilename=flat)
    assert standard.inputType("features") == "MATRIX_REAL"
