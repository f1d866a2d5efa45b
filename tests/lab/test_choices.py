"""The benchmark of choices: what it measures is what it says. No speed is judged."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

import essentia_maest as maest
from essentia_maest.making.conversion import convert_random
from lab.choices.variants import PER_TENSOR, VARIANTS, Variant, quantize

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def fp32(tmp_path_factory) -> Path:
    return convert_random("tiny", tmp_path_factory.mktemp("choices") / "fp32.onnx")


@pytest.fixture(scope="module")
def sound():
    random = np.random.default_rng(0)
    envelope = np.sin(np.linspace(0, 20, 160_000)) ** 2
    return (0.2 * envelope * random.standard_normal(160_000)).astype(np.float32)


def embedding(path: Path, sound) -> np.ndarray:
    return maest.Model(path, num_threads=1).embed(sound, patchout="F3T2")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float((one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("variant", VARIANTS, ids=[variant.name for variant in VARIANTS])
def test_every_variant_is_the_same_network(variant, fp32, sound, tmp_path):
    source = onnx.load(fp32)
    before = source.SerializeToString()
    onnx.save(quantize(source, variant), tmp_path / "variant.onnx")
    assert source.SerializeToString() == before
    found = cosine(embedding(fp32, sound), embedding(tmp_path / "variant.onnx", sound))
    assert 0.99 < found < 1 - 1e-9


def test_variants_quantise_what_they_say(fp32):
    def operators(graph) -> list[str]:
        found = []
        for node in graph.node:
            found.append(node.op_type)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    found += operators(attribute.g)
        return found

    def count(variant: Variant, operator: str) -> int:
        return operators(quantize(onnx.load(fp32), variant).graph).count(operator)

    by_name = {variant.name: variant for variant in VARIANTS}
    assert len(by_name) == len(VARIANTS)
    whole = "DynamicQuantizeMatMul"
    # 12 blocks of 4 layers; the last has its queries apart.
    assert count(PER_TENSOR, whole) == 49
    assert count(PER_TENSOR, "MatMul") == 1
    assert count(by_name["7 bits, attention's layers in fp32"], whole) == 24
    assert count(by_name["7 bits, the perceptron in fp32"], whole) == 25
    assert count(by_name["7 bits, patches too"], whole) == 50
    assert count(by_name["8 bits, a scale for every 128 of a column"], "MatMulNBits") == 49
    with pytest.raises(ValueError, match="no layer of nothing"):
        quantize(onnx.load(fp32), replace(PER_TENSOR, layers=("nothing",)))


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.choices", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_command(fp32, tmp_path):
    done = command(fp32, "--rounds", "1", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["choices.json", "choices.md"]
    studies = json.loads((tmp_path / "choices.json").read_text())["studies"]
    quantized = studies[0]
    assert {row["peer"] for row in quantized["rows"]} == {"fp32", *(v.name for v in VARIANTS)}
    assert all(0.9 < row["cosine"] <= 1 + 1e-9 for row in quantized["rows"])
    assert all(row["spread"] for study in studies for row in study["rows"])
    assert "How ONNX Runtime is set up" in done.stdout


def test_command_refuses(fp32, tmp_path):
    int8 = convert_random("tiny", tmp_path / "int8.onnx", precision="int8")
    done = command(int8, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "is in int8; wanted is fp32" in done.stderr
    done = command(fp32, "--audio", tmp_path / "none.wav", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "none.wav" in done.stderr
