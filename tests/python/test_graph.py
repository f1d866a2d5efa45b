"""The graph against maest-infer and transformers, run by ONNX Runtime's own Python package."""

import dataclasses
import json
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.ast_naming import AstSettings, weights_from_ast
from essentia_maest.making.checkpoints.checkpoint import Tensors
from essentia_maest.making.checkpoints.maest_naming import weights_from_maest
from essentia_maest.making.graph import build_model
from essentia_maest.making.graph_quantization import quantize_columns, row_levels
from essentia_maest.making.weights import random_weights
from reference_models import (
    ast_from_maest,
    columns_of,
    kept_of,
    make_ast,
    make_maest,
    patches_of,
    random_mel,
    run_ast,
    run_maest,
)

FRAMES = {5: 316, 10: 626, 20: 1256, 30: 1876}
PATCHOUTS = {
    "F0T0": {},
    "F3": {"dropped_rows": (0, 7, 8)},
    "F4": {"dropped_rows": (0, 1, 7, 8)},
    "T2": {"time_step": 2},
    "T3": {"time_step": 3},
    "T5": {"time_step": 5},
    "T10": {"time_step": 10},
    "F3T5": {"dropped_rows": (0, 7, 8), "time_step": 5},
    "rows 2, 5, 8": {"dropped_rows": (0, 1, 3, 4, 6, 7)},
}
TOLERANCE = 1e-4


def session_of(model: onnx.ModelProto, **settings) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    for name, value in settings.items():
        setattr(options, name, value)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(session, segments, depth, tap, outputs=("tokens", "logits", "activations")):
    patches, kept = segments
    patches = patches if patches.ndim == 3 else patches[np.newaxis]
    feed = {
        "patches": patches,
        "kept": kept,
        "depth": np.array(depth, np.int64),
        "tap": np.array(tap, np.int64),
    }
    return session.run(list(outputs), feed)


def numpy_arrays(model) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def difference(found: np.ndarray, reference: np.ndarray) -> float:
    """Give the largest difference, relative to the reference's standard deviation."""
    assert found.shape == reference.shape
    return float(np.abs(found - reference).max() / reference.std())


def check_against(session, references, mel, kept, blocks=None):
    """Compare the tokens of every block, each computed no further than itself, and the logits."""
    tokens, logits = references
    depth = len(tokens)
    patches = patches_of(mel, kept)
    for block in blocks or range(1, depth + 1):
        found = run(session, (patches, kept), block, block, ("tokens",))[0]
        assert difference(found, tokens[block - 1]) < TOLERANCE, f"block {block}"
    found, activations = run(session, (patches, kept), depth, 0, ("logits", "activations"))
    assert difference(found, logits) < TOLERANCE
    np.testing.assert_allclose(activations, 1 / (1 + np.exp(-logits)), rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module", params=[(s, c) for s in FRAMES for c in (400, 519)], ids=str)
def small(request):
    seconds, classes = request.param
    maest = make_maest(FRAMES[seconds], classes)
    weights = weights_from_maest(Tensors(numpy_arrays(maest), "test"), heads=4)
    return maest, FRAMES[seconds], session_of(build_model(weights))


@pytest.mark.parametrize("patchout", PATCHOUTS)
def test_agrees_with_maest_infer(small, patchout):
    maest, frames, session = small
    mel = random_mel(frames)
    kept = kept_of(columns_of(frames), **PATCHOUTS[patchout])
    check_against(session, run_maest(maest, mel, **PATCHOUTS[patchout]), mel, kept)


def test_epsilons_are_those_of_maest_infer():
    maest = make_maest(FRAMES[5], 400)
    weights = weights_from_maest(Tensors(numpy_arrays(maest), "test"), heads=4)
    assert weights.norm_epsilon == maest.norm.eps == maest.blocks[0].norm1.eps
    assert weights.head_norm_epsilon == maest.head[0].eps


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "classes"), [(5, 519), (10, 400), (20, 519), (30, 400)])
def test_agrees_with_transformers(seconds, classes):
    frames = FRAMES[seconds]
    ast = make_ast(frames, classes, epsilon=1e-5)
    weights = weights_from_ast(
        numpy_arrays(ast), "test", AstSettings(4, columns_of(frames), 1e-5, 1e-5)
    )
    session = session_of(build_model(weights))
    mel = random_mel(frames)
    for patchout in PATCHOUTS.values():
        kept = kept_of(columns_of(frames), **patchout)
        check_against(session, run_ast(ast, mel, kept), mel, kept)


@pytest.mark.slow
def test_agrees_at_full_width_and_depth_with_both_references():
    maest = make_maest(FRAMES[5], 400, dim=768, heads=12, depth=12)
    session = session_of(
        build_model(weights_from_maest(Tensors(numpy_arrays(maest), "test"), heads=None))
    )
    mel = random_mel(FRAMES[5])
    for patchout, blocks in (("F0T0", [1, 7, 12]), ("F3T5", range(1, 13))):
        kept = kept_of(columns_of(FRAMES[5]), **PATCHOUTS[patchout])
        references = run_maest(maest, mel, **PATCHOUTS[patchout])
        check_against(session, references, mel, kept, blocks)
    ast = ast_from_maest(maest, FRAMES[5], heads=12)
    check_against(session, run_ast(ast, mel, kept), mel, kept, blocks=[7, 12])


@pytest.mark.slow
def test_agrees_at_full_width_and_length():
    maest = make_maest(FRAMES[30], 519, dim=768, heads=12, depth=3)
    session = session_of(
        build_model(weights_from_maest(Tensors(numpy_arrays(maest), "test"), heads=None))
    )
    mel = random_mel(FRAMES[30])
    kept = kept_of(columns_of(FRAMES[30]))
    check_against(session, run_maest(maest, mel), mel, kept, blocks=[3])


@pytest.fixture(scope="module", params=["fp32", "int8"])
def deep(request):
    weights = random_weights(dim=64, heads=2, classes=10, columns=12, depth=12)
    return build_model(weights, precision=request.param)


def random_input(batch: int, columns: int = 12, time_step: int = 1):
    kept = kept_of(columns, time_step=time_step)
    generator = np.random.default_rng(3)
    return generator.standard_normal((batch, len(kept), 256)).astype(np.float32), kept


@pytest.mark.parametrize("depth", [1, 2, 7, 11, 12])
def test_nothing_past_the_depth_is_computed(deep, depth, tmp_path):
    session = session_of(deep, enable_profiling=True, profile_file_prefix=str(tmp_path / "profile"))
    run(session, random_input(1), depth, depth)
    with open(session.end_profiling(), encoding="utf-8") as file:
        events = json.load(file)
    ran = Counter(
        event["args"]["op_name"]
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    )
    assert ran["MultiHeadAttention"] == depth
    assert ran["LayerNormalization"] == 2 * depth + 2  # and two before and in the head
    skipped = [event for event in events if "skipped" in event.get("name", "")]
    assert all(event["args"]["op_name"] == "Slice" for event in skipped)
    assert sum(event["name"].endswith("_kernel_time") for event in skipped) == 12 - depth


def test_tokens_of_a_block_do_not_depend_on_how_much_more_is_computed(deep):
    session = session_of(deep)
    patches, kept = random_input(2)
    for block in range(1, 13):
        alone = run(session, (patches, kept), block, block, ("tokens",))[0]
        assert alone.shape == (2, 2 + len(kept), 64)
        assert np.array_equal(alone, run(session, (patches, kept), 12, block, ("tokens",))[0])


def test_logits_do_not_depend_on_the_block_that_is_tapped(deep):
    session = session_of(deep)
    patches, kept = random_input(1)
    tokens, logits, _ = run(session, (patches, kept), 12, 0)
    assert tokens.shape == (1, 0, 64)
    assert logits.std() > 0.1
    assert np.array_equal(logits, run(session, (patches, kept), 12, 7)[1])
    # the last block is computed for two tokens or for all
    assert difference(run(session, (patches, kept), 12, 12)[1], logits) < 1e-5


def test_the_last_block_is_computed_for_two_tokens_unless_tapped(deep, tmp_path):
    lengths = {}
    for tap in (0, 7, 12):
        prefix = str(tmp_path / f"tap-{tap}")
        session = session_of(deep, enable_profiling=True, profile_file_prefix=prefix)
        _, kept = segments = random_input(1)
        run(session, segments, 12, tap)
        with open(session.end_profiling(), encoding="utf-8") as file:
            nodes = [event for event in json.load(file) if event["name"].endswith("_kernel_time")]
        # names inside a function of the model are lost: what ends before its block does
        block = [event["name"] for event in nodes].index("block_12_kernel_time")
        products = [node["args"] for node in nodes[:block] if "MatMul" in node["args"]["op_name"]]
        lengths[tap] = {  # of projection, fc1 and fc2
            product["output_type_shape"][0]["float"][1] for product in products[-3:]
        }
    assert lengths == {0: {2}, 7: {2}, 12: {2 + len(kept)}}


def test_every_patch_and_position_matters(deep):
    session = session_of(deep)
    patches, kept = random_input(1, time_step=2)
    reference = run(session, (patches, kept), 12, 0, ("logits",))[0]
    changed = patches.copy()
    changed[0, -1, 255] += 3
    assert not np.array_equal(run(session, (changed, kept), 12, 0, ("logits",))[0], reference)
    moved = kept.copy()
    moved[-1] += 1
    assert not np.array_equal(run(session, (patches, moved), 12, 0, ("logits",))[0], reference)


def test_a_batch_gives_what_its_segments_give_alone():
    weights = random_weights(dim=64, heads=2, classes=10, columns=12, depth=4)
    session = session_of(build_model(weights))
    patches, kept = random_input(3)
    tokens, logits, _ = run(session, (patches, kept), 4, 3)
    for number in range(3):
        alone = run(session, (patches[number], kept), 4, 3)
        np.testing.assert_allclose(tokens[number], alone[0][0], atol=1e-5)
        np.testing.assert_allclose(logits[number], alone[1][0], atol=1e-5)


@pytest.mark.parametrize("time_step", [1, 5])
def test_int8_is_close_to_fp32(time_step):
    weights = random_weights(dim=192, heads=3, classes=20, columns=62, depth=12)
    patches, kept = random_input(1, columns=62, time_step=time_step)
    results = {
        precision: run(
            session_of(build_model(weights, precision=precision)), (patches, kept), 12, 7
        )
        for precision in ("fp32", "int8")
    }
    for pair in zip(results["fp32"][:2], results["int8"][:2], strict=True):
        exact, rounded = (values.reshape(-1, values.shape[-1]) for values in pair)
        lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1)
        cosines = (exact * rounded).sum(axis=1) / lengths
        assert cosines.min() > 0.998
        assert not np.array_equal(exact, rounded)


@pytest.mark.parametrize("outlier", [None, 30.0], ids=["normal", "outlier channel"])
@pytest.mark.parametrize("offset", [0.0, 1.0], ids=["centred", "one sign"])
def test_int8_layers_are_exact_on_every_machine(offset, outlier):
    """Sums of one sign overflow 16 bits on machines without VNNI; ours must not."""
    weights = random_weights(dim=128, heads=2, classes=4, columns=12, depth=2)
    block = weights.blocks[0]
    block.qkv_weight[:] += offset
    block.norm1_bias[:] += 3 * offset
    if outlier is not None:
        block.norm1_scale[5] = outlier
    model = build_model(weights, precision="int8")
    names = ("block_1/norm1/integers", "block_1/norm1/ranges", "block_1/qkv", "block_0")
    types = (TensorProto.UINT8, *(3 * [TensorProto.FLOAT]))
    for name, element in zip(names, types, strict=True):
        model.graph.output.append(helper.make_tensor_value_info(name, element, None))
    patches, kept = random_input(1)
    integers, ranges, qkv, tokens = run(session_of(model), (patches, kept), 1, 0, names)
    assert integers.max() == row_levels(quantize_columns(block.qkv_weight).values)
    restored = ranges[..., 1:] + ranges[..., :1] * integers
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    normed = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + 1e-6)
    normed = normed * block.norm1_scale + block.norm1_bias
    assert (np.abs(restored - normed) <= 0.51 * ranges[..., :1] + 1e-5).all()
    quantized = quantize_columns(block.qkv_weight)
    sums = restored.astype(np.float64) @ quantized.values.astype(np.float64)
    expected = sums * quantized.scale + block.qkv_bias
    assert np.abs(qkv - expected).max() < 3e-6 * np.abs(expected).max()


def test_int8_file_holds_the_blocks_as_integers(deep):
    types = {tensor.name: tensor.data_type for tensor in deep.graph.initializer}
    is_int8 = any(data_type == TensorProto.INT8 for data_type in types.values())
    for number in range(1, 13):
        first = ("query", "key_value") if number == 12 else ("qkv",)
        for layer in (*first, "projection", "fc1", "fc2"):
            expected = TensorProto.INT8 if is_int8 else TensorProto.FLOAT
            assert types[f"block_{number}/{layer}/weight"] == expected
    assert types["patch_weight"] == types["head/weight"] == TensorProto.FLOAT
    branches = [a.g for node in deep.graph.node if node.op_type == "If" for a in node.attribute]
    assert len(branches) == 22
    assert not any(branch.initializer for branch in branches)


def test_the_model_is_valid_onnx():
    weights = random_weights(dim=64, heads=1, classes=4, columns=3, depth=2)
    model = build_model(weights, properties={"maest.name": "x"})
    onnx.checker.check_model(model)
    assert [entry.key for entry in model.metadata_props] == ["maest.name"]


@pytest.mark.parametrize(
    "shape", [{"dim": 40, "heads": 5}, {"depth": 1}, {"rows": 4}, {"classes": 1}, {"hidden": 50}]
)
def test_any_shape_of_model(shape):
    arguments = {"dim": 64, "heads": 2, "classes": 7, "columns": 4, "depth": 3, "rows": 9} | shape
    weights = random_weights(**arguments)
    session = session_of(build_model(weights))
    kept = np.arange(weights.rows * weights.columns)
    patches = np.random.default_rng(0).standard_normal((2, len(kept), 256)).astype(np.float32)
    tokens, logits, _ = run(session, (patches, kept), weights.depth, weights.depth)
    assert tokens.shape == (2, 2 + len(kept), weights.dim)
    assert logits.shape == (2, weights.classes)
    assert np.isfinite(logits).all()


def test_unknown_precision_is_refused():
    weights = random_weights(dim=64, heads=1, classes=4, columns=3, depth=1)
    with pytest.raises(ModelError, match=r"precision 'fp8': wanted one of fp32, int8"):
        build_model(weights, precision="fp8")


def test_a_file_past_two_gigabytes_is_refused(monkeypatch):
    monkeypatch.setattr("essentia_maest.making.graph.LARGEST_FILE", 1000)
    weights = random_weights(dim=64, heads=1, classes=4, columns=3, depth=1)
    with pytest.raises(ModelError, match="one model file holds at most"):
        build_model(weights)


def test_initialisers_are_what_was_given():
    weights = random_weights(dim=64, heads=1, classes=4, columns=3, depth=1)
    model = build_model(weights)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert np.array_equal(arrays["block_1/fc1/weight"], weights.blocks[0].fc1_weight)
    assert np.array_equal(arrays["head/bias"], weights.head_bias)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_head_on_the_embedding_reads_all_tokens_of_the_last_block(depth):
    classes, dim = 6, 64
    drawn = random_weights(dim=dim, heads=2, depth=depth, classes=classes, columns=9)
    generator = np.random.default_rng(5)

    def normal(*shape):
        return generator.standard_normal(shape).astype(np.float32)

    head = {
        "norm_scale": None,
        "norm_bias": None,
        "head_norm_scale": normal(3 * dim),
        "head_norm_bias": normal(3 * dim),
        "head_weight": normal(3 * dim, classes) / 14,
    }
    weights = dataclasses.replace(drawn, **head)
    assert (weights.reads_embedding, weights.classes) == (True, classes)
    session = session_of(build_model(weights))
    patches = normal(2, 40, 256)
    kept = np.sort(generator.choice(81, 40, replace=False)).astype(np.int64)
    tokens, logits, _ = run(session, (patches, kept), depth, depth)
    embedding = np.concatenate([tokens[:, 0], tokens[:, 1], tokens[:, 2:].mean(1)], 1)
    inputs = embedding * head["head_norm_scale"] + head["head_norm_bias"]
    wanted = inputs @ head["head_weight"] + weights.head_bias
    assert np.abs(logits - wanted).max() <= TOLERANCE * np.abs(wanted).max()
    untapped = run(session, (patches, kept), depth, 0)[1]
    assert np.abs(untapped - logits).max() <= 1e-5 * np.abs(logits).max()
    # Of a block before it, nothing more is computed.
    assert run(session, (patches, kept), 1, 1)[0].shape == (2, 42, dim)
    with pytest.raises(ModelError, match="no norm before it"):
        dataclasses.replace(weights, norm_bias=drawn.norm_bias)
    with pytest.raises(ModelError, match="head_weight"):
        dataclasses.replace(weights, head_weight=drawn.head_weight)


def test_separated_heads_give_the_mean_of_their_logits():
    maest = make_maest(166, 7)
    maest.distilled_type = "separated"
    tensors = Tensors(numpy_arrays(maest), "test")
    weights = weights_from_maest(tensors, heads=4, head="separated")
    session = session_of(build_model(weights))
    mel = random_mel(166)
    kept = kept_of(columns_of(166))
    with torch.no_grad():
        mel_batch = torch.from_numpy(mel)[None, None]
        by_cls, by_dist, _ = maest(mel_batch, melspectrogram_input=True)
    wanted = ((by_cls + by_dist) / 2).numpy()
    _, logits, activations = run(session, (patches_of(mel, kept), kept), 3, 0)
    assert np.abs(logits - wanted).max() <= TOLERANCE * np.abs(wanted).max()
    assert np.abs(activations - 1 / (1 + np.exp(-wanted))).max() <= TOLERANCE

    changes = {"second_head_bias": None}, {"second_head_bias": np.zeros(6, np.float32)}
    for change in changes:
        with pytest.raises(ModelError, match="second_head"):
            dataclasses.replace(weights, **change)
    arrays = numpy_arrays(maest)
    del arrays["head_dist.weight"]
    with pytest.raises(ModelError, match=r"head_dist\.weight"):
        weights_from_maest(Tensors(arrays, "test"), heads=4, head="separated")
