"""What computes is told: kernels, operators of ours in a session, and ONNX Runtime."""

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import essentia_maest as maest
from essentia_maest import _core
from essentia_maest.making.conversion import convert_random
from essentia_maest.making.graph_operators import ATTENTION, BIAS_GELU, DOMAIN
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.row_functions import AFTER_SUMS, ROW_OPERATORS
from essentia_maest.making.weights import random_weights
from essentia_maest.ort_library import find_library
from essentia_maest.reading.store import resolve
from products_apart import write_apart, write_unknown
from untrained import UNTRAINED

ORT = "onnxruntime"
HAS_PRODUCTS = platform.machine() == "x86_64"
"""Elsewhere ONNX Runtime multiplies."""
IN_FILES = [name for name in ROW_OPERATORS if name not in AFTER_SUMS.values()]
"""Those on rows that files have; the others were in those made before products were ours."""
WANTED = {
    "baseline": {"mel": "baseline", "gelu": ORT, "attention": ORT, "rows": ORT},
    "neon": {"mel": "neon", "gelu": "neon", "attention": "neon", "rows": "neon"},
    "dotprod": {"mel": "neon", "gelu": "neon", "attention": "dotprod", "rows": "neon"},
    "i8mm": {"mel": "neon", "gelu": "neon", "attention": "i8mm", "rows": "neon"},
    "avx2": {"mel": "avx2", "gelu": "avx2", "attention": "avx2", "rows": "avx2"},
    "avxvnni": {"mel": "avx2", "gelu": "avx2", "attention": "avx2", "rows": "avxvnni"},
    "avx512": {"mel": "avx512", "gelu": "avx512", "attention": ORT, "rows": "avx512"},
    "avx512vnni": {
        "mel": "avx512",
        "gelu": "avx512",
        "attention": "avx512vnni",
        "rows": "avx512vnni",
    },
}


def nodes_of(graph: onnx.GraphProto, operator: str) -> list[onnx.NodeProto]:
    """List the nodes of ours in a graph and in the graphs inside its nodes."""
    found = [node for node in graph.node if (node.domain, node.op_type) == (DOMAIN, operator)]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += nodes_of(attribute.g, operator)
    return found


@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_kernels_are_those_of_the_instruction_set(isa: str, monkeypatch) -> None:
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    assert _core.kernels() == {"isa": isa, **WANTED[isa]}


def test_the_best_instruction_set_is_chosen(monkeypatch) -> None:
    monkeypatch.delenv("ESSENTIA_MAEST_ISA", raising=False)
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    told = {
        "avx2": "avx2", "avxvnni": "avx_vnni", "avx512vnni": "avx512_vnni",
        "dotprod": "asimddp", "i8mm": "i8mm",
    }  # fmt: skip
    runnable = _core.instruction_sets()
    assert [name for name in told if name in runnable] == [
        name for name, flag in told.items() if flag in flags
    ]
    assert _core.kernels()["isa"] == _core.instruction_sets()[-1]


def test_an_instruction_set_that_is_not_there(monkeypatch) -> None:
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", "mmx")
    with pytest.raises(maest.InvalidArgumentError, match="ESSENTIA_MAEST_ISA.*'mmx'"):
        _core.kernels()


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("name", ["default", UNTRAINED])
def test_every_node_of_ours_is_computed_by_us(isa: str, name: str | Path, monkeypatch) -> None:
    """An operator that ONNX Runtime does not find under its name is replaced without a word."""
    graph = onnx.load(resolve(name)).graph
    assert bool(nodes_of(graph, BIAS_GELU)) == (name != "default")
    assert bool(nodes_of(graph, ATTENTION)) == (name == "default")
    assert all(bool(nodes_of(graph, operator)) == (name == "default") for operator in IN_FILES)
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    engine = maest.Model(name, num_threads=1)._engine
    ours = (
        (BIAS_GELU, "gelu"),
        (ATTENTION, "attention"),
        *((one, "rows") for one in IN_FILES if HAS_PRODUCTS or one not in AFTER_SUMS),
    )
    for operator, kernel in ours:
        nodes = len(nodes_of(graph, operator))
        if nodes and WANTED[isa][kernel] != ORT:
            assert engine.operator_nodes[operator] == nodes
            assert engine.operators[operator] == WANTED[isa][kernel]
        else:
            assert engine.operator_nodes[operator] == 0
            assert engine.operators[operator] == ORT


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("otherwise", [None, write_apart, write_unknown])
def test_every_node_on_rows_is_computed_by_us(
    isa: str, otherwise: Callable | None, tmp_path: Path, monkeypatch
) -> None:
    """Where products are not, what is done with their sums is."""
    path = convert_random("tiny", tmp_path / "int8.onnx", precision="int8")
    graph = onnx.load(path).graph
    if otherwise is not None:
        path = otherwise(path, tmp_path / "otherwise.onnx")
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    engine = maest.Model(path, num_threads=1)._engine
    computed = WANTED[isa]["rows"] != ORT
    multiplied = HAS_PRODUCTS and otherwise is None
    assert all(nodes_of(graph, operator) for operator in IN_FILES)
    for operator in ROW_OPERATORS:
        if operator in AFTER_SUMS.values():
            (whole,) = (name for name, after in AFTER_SUMS.items() if after == operator)
            nodes = 0 if multiplied else len(nodes_of(graph, whole))
        else:
            nodes = (
                len(nodes_of(graph, operator)) if multiplied or operator not in AFTER_SUMS else 0
            )
        assert engine.operator_nodes[operator] == (nodes if computed else 0)
        assert engine.operators[operator] == (WANTED[isa]["rows"] if nodes else ORT)


@pytest.mark.parametrize("isa", _core.instruction_sets())
@pytest.mark.parametrize("patchout", ["F0T0", "F3T5"])
@pytest.mark.parametrize("source", ["default", "odd"])
def test_products_are_those_of_onnx_runtime(
    isa: str, patchout: str, source: str, tmp_path: Path, monkeypatch
) -> None:
    """To the bit, whatever the sizes: those of the odd one are multiples of nothing."""
    path = resolve("default")
    if source == "odd":
        path = tmp_path / "odd.onnx"
        weights = random_weights(dim=66, heads=3, hidden=77, depth=2, classes=3, columns=62)
        description = ModelDescription(
            name="odd", description="random", labels=("a", "b", "c"), trained=False, license="none",
            source="none", source_sha256="", mean=0.0, standard_deviation=1.0,
        )  # fmt: skip
        write_model(weights, description, "int8", path)
    monkeypatch.setenv("ESSENTIA_MAEST_ISA", isa)
    audio = np.random.default_rng(0).standard_normal(170_000).astype(np.float32)
    ours = maest.Model(path, num_threads=2)
    for write in (write_apart, write_unknown):
        theirs = maest.Model(write(path, tmp_path / "theirs.onnx"), num_threads=2)
        for block in (1, 2):
            np.testing.assert_array_equal(
                ours.tokens(audio, block=block, patchout=patchout),
                theirs.tokens(audio, block=block, patchout=patchout),
            )
        np.testing.assert_array_equal(
            ours.predict(audio, patchout=patchout), theirs.predict(audio, patchout=patchout)
        )


def test_an_operator_under_another_name_is_told(tmp_path: Path) -> None:
    model = onnx.load(UNTRAINED)
    for node in nodes_of(model.graph, BIAS_GELU):
        node.op_type = "Renamed"
    for function in model.functions:
        if function.name == BIAS_GELU:
            function.name = "Renamed"
    onnx.save(model, tmp_path / "renamed.onnx")
    renamed = maest.Model(tmp_path / "renamed.onnx", num_threads=1)
    assert set(renamed._engine.operators.values()) == {ORT}
    audio = np.random.default_rng(0).standard_normal(170_000).astype(np.float32)
    np.testing.assert_allclose(
        renamed.embed(audio), maest.Model(UNTRAINED).embed(audio), rtol=1e-3, atol=1e-3
    )


def test_names_of_operators_are_those_that_model_files_use() -> None:
    engine = maest.Model(UNTRAINED)._engine
    assert set(engine.operators) == {BIAS_GELU, ATTENTION, *ROW_OPERATORS}
    assert _core.OPERATOR_DOMAIN == DOMAIN


def test_the_runtime_is_told() -> None:
    maest.Model(UNTRAINED)
    assert _core.ort_version() == onnxruntime.__version__
    assert _core.ort_library() == str(find_library())
