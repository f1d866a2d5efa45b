"""Int8 holds where some channels or tokens are far larger than the rest."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from onnx import numpy_helper

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.errors import InvalidArgumentError, ModelError
from essentia_maest.example import example_audio
from essentia_maest.making import holding, quantization
from essentia_maest.making.calibration import BlockInputs, gelu
from essentia_maest.making.checkpoints import read_checkpoint
from essentia_maest.making.conversion import convert
from essentia_maest.making.equalisation import divisors_of, equalise
from essentia_maest.making.graph import build_model
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.precision_check import BlockCosine, PrecisionReport
from essentia_maest.making.quantization import EqualisedWeights
from essentia_maest.making.quantization_plan import MATRICES, QuantizationPlan
from essentia_maest.making.weights import random_weights
from lab.as_floats import as_floats
from lab.outliers import KINDS, SCALES, difference, outlier_weights, written
from test_graph import random_input, run, session_of

CASES = [("channels of norms", scale) for scale in SCALES] + [
    (kind, 50.0) for kind in KINDS if kind != "channels of norms"
]


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return maest.load_audio(example_audio())[:160_000]


def converted(weights, folder: Path, **options):
    """Give a model in fp32, in int8, and what was told of it."""
    reports = []
    exact = written(weights, folder / "fp32.onnx")
    convert(exact, folder / "int8.onnx", precision="int8", report=reports.append, **options)
    return maest.Model(exact), maest.Model(folder / "int8.onnx"), reports[0]


@pytest.mark.parametrize(("kind", "scale"), CASES)
@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_embeddings_and_activations_are_those_of_fp32(kind, scale, music, tmp_path):
    exact, rounded, report = converted(outlier_weights("tiny", kind, scale), tmp_path)
    found = difference(exact, rounded, music, "F3T2")
    assert min(found.cosines) >= 0.999
    assert found.activations <= 0.02
    assert report.plan.exact_matrices == ()


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_the_channels_are_told(tmp_path):
    plain, large = (outlier_weights("tiny", "channels of norms", scale) for scale in (1, 200))
    _, _, report = converted(large, tmp_path)
    for number, (before, after) in enumerate(zip(plain.blocks, large.blocks, strict=True), 1):
        for matrix, norm in (("qkv", "norm1_scale"), ("fc1", "norm2_scale")):
            wanted = set(np.flatnonzero(getattr(before, norm) != getattr(after, norm)).tolist())
            (moved,) = (
                one for one in report.plan.moved if (one.block, one.matrix) == (number, matrix)
            )
            told = dict(zip(moved.channels, moved.divisors, strict=True))
            assert wanted == {channel for channel, divisor in told.items() if divisor >= 64}
    assert "matrices left in fp32: none" in str(report)
    stored = {entry.key: entry.value for entry in onnx.load(tmp_path / "int8.onnx").metadata_props}
    told = json.loads(stored["maest.quantization"])
    assert told["matrices_in_fp32"] == []
    assert [one["channels"] for one in told["moved_channels"]] == [
        list(moved.channels) for moved in report.plan.moved
    ]


@pytest.mark.slow
@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_every_instruction_set_holds(isa, music, tmp_path, monkeypatch):
    exact, _, _ = converted(outlier_weights("tiny", "channels of norms", 200), tmp_path)
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    rounded = maest.Model(tmp_path / "int8.onnx")
    found = difference(exact, rounded, music, "F3T2")
    assert min(found.cosines) >= 0.999
    assert found.activations <= 0.02


def block_and_inputs(rows: np.ndarray, hidden: int = 16):
    """Give a block and inputs of it, the same for each of its matrices as far as sizes allow."""
    dim = rows.shape[1]
    weights = random_weights(dim=dim, heads=1, hidden=hidden, classes=2, columns=3, depth=1)
    inputs = BlockInputs({}, {})
    for name in ("qkv", "projection", "fc1", "query", "key"):
        inputs.add(name, rows)
    inputs.add("fc2", np.resize(rows, (len(rows), hidden)))
    return weights.blocks[0], inputs


def test_moving_changes_no_bit_of_products():
    rows = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    rows[:, 3] *= 300
    block, inputs = block_and_inputs(rows)
    found = equalise(block, inputs)
    after, divisors = found.weights, found.divisors
    assert divisors["qkv"][3] > 8 * np.delete(divisors["qkv"], 3).max()
    for norm, matrix in (("norm1", "qkv"), ("norm2", "fc1")):
        for part in ("scale", "bias"):
            name = f"{norm}_{part}"
            assert np.array_equal(getattr(after, name) * divisors[matrix], getattr(block, name))
    size = block.projection_bias.size
    query, key, value = np.split(after.qkv_bias, 3)
    before = np.split(block.qkv_bias, 3)
    assert np.array_equal(query * key, before[0] * before[1])
    assert np.array_equal(value * divisors["projection"], before[2])
    restored = after.projection_weight / divisors["projection"][:, np.newaxis]
    assert np.array_equal(restored, block.projection_weight)
    values = after.qkv_weight[:, 2 * size :] * divisors["projection"]
    assert np.array_equal(values / divisors["qkv"][:, np.newaxis], block.qkv_weight[:, 2 * size :])
    assert np.array_equal(after.fc2_weight / divisors["fc2"][:, np.newaxis], block.fc2_weight)


def test_what_rounding_weights_adds_is_taken_from_biases():
    """A product of rows with a mean is right in the mean, however coarse its weights."""
    generator = np.random.default_rng(1)
    rows = (generator.standard_normal((200, 32)) + 3).astype(np.float32)
    block, inputs = block_and_inputs(rows, hidden=64)
    weights = random_weights(dim=32, heads=1, hidden=64, classes=2, columns=3, depth=1)
    found = EqualisedWeights(weights, (equalise(block, inputs),))
    (less,) = found.quantized(exact=()).weights.blocks
    (exact,) = found.quantized(exact={(1, name) for name in MATRICES}).weights.blocks
    for name in MATRICES:
        before = getattr(found.blocks[0].weights, f"{name}_bias")
        assert np.array_equal(getattr(exact, f"{name}_bias"), before)
        weight = getattr(less, f"{name}_weight")
        fed = inputs.kept(name) / found.blocks[0].divisors[name]
        wanted = fed @ weight + before
        rounded = fed @ found.blocks[0].rounded[name].weight
        off = (rounded + before - wanted).mean(axis=0)
        left = (rounded + getattr(less, f"{name}_bias") - wanted).mean(axis=0)
        assert np.linalg.norm(left) < 0.1 * np.linalg.norm(off)


def test_one_token_is_not_the_mean():
    rows = np.ones((100, 8), np.float32)
    rows[7] = -1000
    _, inputs = block_and_inputs(rows)
    np.testing.assert_allclose(inputs.mean("qkv"), np.ones(8), atol=1e-3)
    assert (inputs.kept("qkv") == -1000).any()  # though it is none of every so many
    assert np.abs(inputs.covariance("qkv")).max() < 0.01 * np.cov(rows.T).max()
    _, nothing = block_and_inputs(np.zeros((5, 8), np.float32))
    assert np.array_equal(nothing.mean("fc1"), np.zeros(8))
    assert np.array_equal(nothing.covariance("fc1"), np.zeros((8, 8)))


def test_the_covariance_is_that_of_rows_each_weighed_by_its_length():
    rows = np.random.default_rng(4).standard_normal((60, 8)).astype(np.float32)
    rows[:, 2] += 500  # its variance is a millionth of its square
    rows[:, 3] = 2 * rows[:, 1]
    inputs = BlockInputs({}, {})
    for part in np.split(rows, 3):
        inputs.add("fc1", part)
    weights = 1 / np.square(rows.astype(np.float64)).sum(axis=1)
    wanted = np.cov(rows.T.astype(np.float64), aweights=weights, bias=True)
    np.testing.assert_allclose(inputs.covariance("fc1"), wanted, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_matrices_stay_until_it_holds(tmp_path, music):
    """A network that makes small errors large: a matrix in fp32 keeps them small."""
    weights = outlier_weights("small", "inputs of fc2 of one token", 50)
    exact, rounded, report = converted(weights, tmp_path)
    assert report.holds
    assert len(report.plan.exact_matrices) <= 12
    found = difference(exact, rounded, maest.load_audio(example_audio()))
    assert min(found.cosines) >= 0.999
    assert found.activations <= 0.02


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_what_never_holds_is_the_nearest_that_was_tried(monkeypatch, music):
    weights = outlier_weights("tiny", "values", 50)
    lowest = iter([0.5, 0.7, 0.9, 0.6, 0.8, 0.1])
    tried = []

    def told(exact, rounded):
        del exact, rounded
        return PrecisionReport(1, 1, (BlockCosine(1, 1.0, next(lowest)),), 0.0, 1.0, 1.0)

    def nothing(weights, description, precision, signals, plan=None):
        del weights, description, signals
        if precision == "int8":
            tried.append(len(plan.exact_matrices))

    monkeypatch.setattr(holding, "compare", told)
    monkeypatch.setattr(holding, "results_of", nothing)
    description = ModelDescription(
        name="a", description="b", labels=(), trained=False, license="c", source="d",
        source_sha256="", mean=0.0, standard_deviation=1.0,
    )  # fmt: skip
    quantized, report = holding.quantize_to_hold(weights, description, [music])
    assert tried == [0, 1, 2, 4, 8, 12]
    assert report.lowest == 0.9
    assert len(quantized.plan.exact_matrices) == 2


def test_channels_that_say_nothing():
    ones = np.ones(5, np.float32)
    dead = np.array([1, 1, 0, 1, 1], np.float32)
    assert np.array_equal(divisors_of(dead, ones, 0.5), ones)
    assert np.array_equal(divisors_of(0 * ones, ones, 0.5), ones)
    assert np.array_equal(divisors_of(ones, 0 * ones, 0.5), ones)
    unread = divisors_of(ones, dead, 0.5)
    assert unread[2] > 1e6
    assert np.isfinite(unread).all()
    assert np.array_equal(np.delete(unread, 2), np.ones(4))


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_norms_of_zeros_and_silence(tmp_path, music):
    weights = outlier_weights("tiny", "channels of norms", 50)
    blocks = list(weights.blocks)
    zeros = np.zeros_like(blocks[1].norm1_scale)
    blocks[1] = replace(blocks[1], norm1_scale=zeros, norm1_bias=zeros, norm2_scale=zeros)
    soundfile.write(tmp_path / "silence.wav", np.zeros(50_000), 16_000)
    exact, rounded, _ = converted(
        replace(weights, blocks=tuple(blocks)), tmp_path, samples=[tmp_path / "silence.wav"]
    )
    found = difference(exact, rounded, music, "F3T2")
    assert min(found.cosines) >= 0.999


def test_values_that_are_not_finite_are_refused(tmp_path):
    weights = outlier_weights("tiny", "channels of norms", 1)
    blocks = list(weights.blocks)
    blocks[2] = replace(blocks[2], fc2_weight=blocks[2].fc2_weight * np.float32(3e38))
    exact = written(replace(weights, blocks=tuple(blocks)), tmp_path / "fp32.onnx")
    with pytest.raises(InvalidArgumentError, match="block 3 .* not finite of the sample audio"):
        convert(exact, tmp_path / "int8.onnx", precision="int8")
    assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_matrices_that_lose_too_much_stay(tmp_path, music, monkeypatch):
    monkeypatch.setattr(quantization, "LARGEST_ERROR", 0.0)
    exact, rounded, report = converted(outlier_weights("tiny", "values", 50), tmp_path)
    assert len(report.plan.exact_matrices) == 48
    assert "block 12 fc2" in str(report)
    found = difference(exact, rounded, music, "F3T2")
    assert min(found.cosines) > 0.99999


@pytest.mark.parametrize("exact", [(name,) for name in MATRICES] + [MATRICES[:2], MATRICES[1:3]])
def test_any_matrices_may_stay(exact):
    weights = random_weights(dim=64, heads=2, hidden=96, classes=3, columns=12, depth=3)
    factors = np.exp2(np.arange(96) % 2).astype(np.float32)
    divided = replace(
        weights,
        blocks=tuple(
            replace(block, fc2_weight=block.fc2_weight / factors[:, np.newaxis])
            for block in weights.blocks
        ),
    )
    plan = QuantizationPlan(exact=3 * (exact,), gains=3 * (factors,))
    model = build_model(divided, precision="int8", plan=plan)
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    names = {"query" if name == "qkv" else name for name in exact}
    for name in names:
        assert types[f"block_3/{name}/weight"] == 1
    wanted = run(session_of(build_model(weights)), random_input(1), 3, 3)
    found = run(session_of(model), random_input(1), 3, 3)
    lengths = np.linalg.norm(wanted[0], axis=2) * np.linalg.norm(found[0], axis=2)
    assert ((wanted[0] * found[0]).sum(axis=2) / lengths).min() > 0.998


def test_gelu_is_that_of_the_error_function():
    values = np.linspace(-8, 8, 4001).astype(np.float32)
    wanted = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in values.tolist()]
    np.testing.assert_allclose(gelu(values), wanted, atol=2e-6)


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_trained_weights(music, tmp_path):
    """The default's own weights, as its file of 0.1 has rounded them."""
    # with VNNI attention is in integers, too
    file = Path(__file__).parents[1] / "data" / "maest-open-10s-0.1.onnx"
    exact = as_floats(file, tmp_path / "fp32.onnx")
    convert(exact, tmp_path / "int8.onnx", precision="int8")
    found = difference(maest.Model(exact), maest.Model(tmp_path / "int8.onnx"), music)
    in_bytes = {"avx512vnni", "dotprod"} & set(_core.instruction_sets())
    assert min(found.cosines) >= (0.9998 if in_bytes else 0.9999)
    assert found.activations <= 0.02
    # what opens the old file is what opens the new one
    assert min(difference(maest.Model(exact), maest.Model(file), music).cosines) > 0.999


@pytest.mark.filterwarnings("ignore::essentia_maest.UntrainedModelWarning")
def test_a_file_in_int8_is_read_for_what_it_stands_for(music, tmp_path):
    """Scaled channels, matrices that stay, queries apart from keys: as floats the same function."""
    weights = outlier_weights("tiny", "inputs of fc2", 50)
    exact = written(weights, tmp_path / "fp32.onnx")
    checkpoint = read_checkpoint(exact)
    description = ModelDescription(
        name="a", description="b", labels=tuple(checkpoint.labels), trained=False, license="c",
        source="d", source_sha256="", mean=checkpoint.normalisation[0],
        standard_deviation=checkpoint.normalisation[1],
    )  # fmt: skip
    left = {(1, "fc1"), (2, "fc2"), (3, "qkv"), (4, "fc1"), (4, "fc2"), (12, "qkv")}
    found = quantization.equalise_model(weights, description, [music]).quantized(left)
    assert any((gain != 1).any() for gain in found.plan.gains)
    write_model(found.weights, description, "int8", tmp_path / "int8.onnx", found.plan)
    restored = maest.Model(as_floats(tmp_path / "int8.onnx", tmp_path / "restored.onnx"))
    assert restored.precision == "fp32"
    rounded = difference(restored, maest.Model(tmp_path / "int8.onnx"), music, "F3T2")
    assert min(rounded.cosines) >= 0.999
    # its matrices are the integers of the file, not those that it was made from
    integers = found.plan.rounded[5]["fc1"]
    back = read_checkpoint(tmp_path / "restored.onnx").weights.blocks[5]
    assert np.array_equal(back.fc1_weight, integers.weight)
    assert not np.array_equal(back.fc1_weight, found.weights.blocks[5].fc1_weight)
    with pytest.raises(ModelError, match="rounding cannot be undone"):
        convert(tmp_path / "int8.onnx", tmp_path / "other.onnx")


def test_tables_that_do_not_fit_are_refused(tmp_path):
    weights = random_weights(dim=64, heads=2, hidden=96, classes=3, columns=12, depth=2)
    for name, array in (("block_1/fc1/columns", np.ones(5)), ("block_1/norm1/scale_bias", 3.0)):
        written_as_integers(weights, tmp_path / "a.onnx")
        model = onnx.load(tmp_path / "a.onnx")
        tensor = next(one for one in model.graph.initializer if one.name == name)
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(array, np.float32), name))
        onnx.save(model, tmp_path / "a.onnx")
        with pytest.raises(ModelError, match="block_1/(fc1/|norm1/scale_bias)"):
            read_checkpoint(tmp_path / "a.onnx", rounded=True)


def written_as_integers(weights, path: Path) -> None:
    description = ModelDescription(
        name="a", description="b", labels=("c", "d", "e"), trained=False, license="f",
        source="g", source_sha256="", mean=0.0, standard_deviation=1.0,
    )  # fmt: skip
    write_model(weights, description, "int8", path)
