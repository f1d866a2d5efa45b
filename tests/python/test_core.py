"""The core's C++ unit tests: under every instruction set that this CPU has, and under sanitizers.

Each is a test here too, so that what was skipped is counted.
"""

import subprocess
from pathlib import Path

import pytest

import core_program
from essentia_maest import _core

# The unit tests are built first.
pytestmark = pytest.mark.slow

NAMES = core_program.test_names()
RUNS = [
    pytest.param("", "", id="best"),
    *(pytest.param("", isa, id=isa) for isa in _core.instruction_sets()[:-1]),
    *(
        pytest.param(sanitizers, "", id=sanitizers)
        for sanitizers in ("address,undefined", "thread")
    ),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("core")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("sanitizers", "isa"), RUNS)
def test_core(folder: Path, sanitizers: str, isa: str, name: str) -> None:
    outcome = core_program.outcomes(folder, sanitizers, isa)[name]
    if outcome.result == "skipped":
        pytest.skip(outcome.message.splitlines()[-1])
    assert outcome.result == "passed", outcome.message


def test_no_unit_test_is_overlooked(folder: Path) -> None:
    assert len(NAMES) == len(set(NAMES)) > 60
    assert set(core_program.outcomes(folder, "", "")) == set(NAMES)


def test_what_a_cpu_cannot_run_is_skipped_and_told(folder: Path) -> None:
    """No test of attention passes by doing nothing, nor integers untried without a word."""
    tests = core_program.outcomes(folder, "", "baseline")
    attention = {name for name in tests if name.startswith("Attention.")}
    about_other_cpus = {
        "Attention.integers_need_a_cpu_that_multiplies_bytes",
        "Attention.attention_is_refused_where_there_are_no_kernels",
        "Attention.products_of_four_bytes_and_of_matrices_give_the_same",
    }
    integers = "Attention.integers_are_tried"
    assert about_other_cpus | {integers} < attention
    runnable = set(_core.instruction_sets())
    multiplying = {"avx512vnni", "dotprod", "i8mm"} & runnable
    assert tests[integers].result == ("passed" if multiplying else "skipped")
    computing = [tests[name] for name in attention - about_other_cpus - {integers}]
    if {"avx2", "neon"} & runnable:
        assert {test.result for test in computing} == {"passed"}
    else:
        assert {test.result for test in computing} == {"skipped"}
        assert all("no kernel" in test.message for test in computing)


def test_tests_can_be_chosen(folder: Path) -> None:
    core_program.outcomes(folder, "", "")
    program = folder / "plain/core_tests"
    done = subprocess.run(
        [program, "--gtest_filter=Fft.*", "--gtest_brief=0"],
        capture_output=True,
        text=True,
        check=False,
    )
    chosen = [name for name in NAMES if name.startswith("Fft.")]
    assert done.stdout.count("[       OK ] Fft.") == len(chosen) > 0
    assert "Attention." not in done.stdout
