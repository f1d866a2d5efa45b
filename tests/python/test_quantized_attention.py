"""Attention of int8 models: the engine's operator beside ONNX Runtime's own in fp32."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.example import example_audio
from essentia_maest.making.conversion import convert_random
from essentia_maest.making.graph_operators import ATTENTION, BIAS_GELU, DOMAIN
from essentia_maest.making.row_functions import ROW_OPERATORS
from lab import attention_precision

WITHOUT = {
    "avx512vnni": ("avx512", "onnxruntime"),
    "dotprod": ("neon", "neon"),
    "i8mm": ("neon", "neon"),
}
"""For attention in 8-bit integers: the widest instruction set that is the same without, and what
computes attention with that."""
PATCHOUTS = ("F0T0", "F3T0", "F3T2", "F3T3", "F3T5", "F4T10")


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return maest.load_audio(example_audio())


@pytest.fixture(params=["default", "random"])
def path(request, tmp_path) -> Path | str:
    if request.param == "default":
        return "default"
    return convert_random("tiny", tmp_path / "int8.onnx", precision="int8")


@pytest.fixture
def both(path, monkeypatch) -> tuple[maest.Model, maest.Model]:
    """Give a model as this CPU runs it best, and as ONNX Runtime runs it alone."""
    best = maest.Model(path, num_threads=1)
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "baseline")
    plain = maest.Model(path, num_threads=1)
    assert set(operators(plain).values()) == {"onnxruntime"}
    return best, plain


def operators(model: maest.Model) -> dict[str, str]:
    return model._engine.operators


def same(one: np.ndarray, other: np.ndarray, models: tuple[maest.Model, maest.Model]) -> bool:
    """Whether results are equal exactly where the same operators computed them."""
    best, plain = map(operators, models)
    return np.array_equal(one, other) == (best == plain)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / lengths


@pytest.mark.parametrize("patchout", PATCHOUTS)
def test_embeddings_are_those_of_attention_in_fp32(both, music, patchout):
    best, plain = both
    for block in (7, best.depth):
        options = {"block": block, "patchout": patchout, "tail": "repeat"}
        ours, theirs = best.embed(music, **options), plain.embed(music, **options)
        assert cosines(ours, theirs).min() > 0.999
        assert same(ours, theirs, both)


def test_predictions_are_those_of_attention_in_fp32(both, music):
    best, plain = both
    ours, theirs = best.predict(music, tail="pad"), plain.predict(music, tail="pad")
    np.testing.assert_allclose(ours, theirs, atol=0.03)
    assert same(ours, theirs, both)


@pytest.mark.skipif(
    _core.kernels()["attention"] not in WITHOUT,
    reason=f"no kernels of attention in 8-bit integers for {_core.kernels()['isa']}",
)
def test_it_is_attention_that_differs(path, music, monkeypatch):
    """Beside the widest instruction set without its kernels, with nearly the same otherwise."""
    best = maest.Model(path, num_threads=1)
    without, attention = WITHOUT[operators(best)[ATTENTION]]
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", without)
    plain = maest.Model(path, num_threads=1)
    others = {name: kernel.replace("vnni", "") for name, kernel in operators(best).items()}
    assert operators(plain) == {**others, ATTENTION: attention}
    ours, theirs = best.embed(music), plain.embed(music)
    assert not np.array_equal(ours, theirs)
    assert cosines(ours, theirs).min() > 0.999


def test_threads_change_nothing(path, music):
    one = maest.Model(path, num_threads=1).embed(music, tail="pad")
    assert np.array_equal(one, maest.Model(path, num_threads=3).embed(music, tail="pad"))


def test_other_programs_run_the_file(tmp_path, monkeypatch):
    """The engine without its operator and ONNX Runtime's Python package do the same."""
    file = convert_random("tiny", tmp_path / "int8.onnx", precision="int8")
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    defined = {(function.domain, function.name) for function in model.functions}
    ours = (ATTENTION, BIAS_GELU, *ROW_OPERATORS)
    assert defined == {(DOMAIN, name) for name in ours}
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    samples = np.random.default_rng(0).standard_normal(160_000).astype(np.float32)
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "baseline")
    engine = maest.Model(file, num_threads=1)
    mel = (maest.mel_spectrogram(samples)[:626] - 2.06755686098554) / (2 * 1.268292820667291)
    patches = np.stack(
        [
            mel[10 * column : 10 * column + 16, 10 * row : 10 * row + 16].reshape(256)
            for row in range(9)
            for column in range(62)
        ]
    ).astype(np.float32)
    (tokens,) = session.run(
        ["tokens"],
        {
            "patches": patches[np.newaxis],
            "kept": np.arange(9 * 62),
            "depth": np.array(7),
            "tap": np.array(7),
        },
    )
    np.testing.assert_allclose(engine.tokens(samples, block=7)[0], tokens[0], rtol=1e-3, atol=1e-3)


def test_a_float_model_keeps_attention_in_fp32(tmp_path, music, monkeypatch):
    file = convert_random("tiny", tmp_path / "fp32.onnx")
    assert [function.name for function in onnx.load(file).functions] == [BIAS_GELU]
    best = maest.Model(file, num_threads=1).embed(music, tail="repeat")
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "baseline")
    plain = maest.Model(file, num_threads=1).embed(music, tail="repeat")
    np.testing.assert_allclose(best, plain, atol=1e-5 * np.abs(plain).max())


def test_the_benchmark_says_what_it_changes(capsys, tmp_path):
    (tmp_path / "none.wav").write_text("no audio")
    code = attention_precision.main([str(example_audio()), str(tmp_path / "none.wav")])
    told = capsys.readouterr()
    if not set(WITHOUT) & set(_core.instruction_sets()):
        assert code == 2
        assert "no VNNI" in told.err
        return
    assert code == 1  # one file could not be read
    assert "none.wav" in told.err
    rows = [line.split("|")[1:-1] for line in told.out.splitlines() if line.startswith("| F")]
    assert [row[0].strip() for row in rows] == list(PATCHOUTS)
    assert all(0.999 < float(cell) < 1 for row in rows for cell in row[2:6])
    assert attention_precision.main([str(tmp_path / "none.wav")]) == 2
