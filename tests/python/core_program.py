"""Builds the core's C++ unit tests, and runs them."""

import functools
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from essentia_maest.ort_library import find_library
from untrained import UNTRAINED

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"^TEST\((\w+),\s*(\w+)\)", re.MULTILINE)


class Outcome(NamedTuple):
    """What became of one unit test."""

    result: str
    """"passed", "failed" or "skipped"."""
    message: str


def test_names() -> list[str]:
    """List the unit tests as GoogleTest names them, read off the sources: nothing is built yet."""
    sources = sorted((ROOT / "cpp/tests").glob("*.cpp"))
    return [".".join(found) for path in sources for found in _TEST.findall(path.read_text())]


def googletest() -> Path | None:
    """Give the folder of GoogleTest's sources that the wheel installs; None without that wheel."""
    try:
        files = importlib.metadata.files("ros-gtest-vendor") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    sources = [Path(str(file.locate())) for file in files if file.name == "gtest-all.cc"]
    return sources[0].resolve().parents[1] if sources else None


def build(folder: Path, *options: str) -> Path:
    """Build the program, with the options given to CMake; return its path."""
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    sources = googletest()
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja",
        "-DMAEST_BUILD_TESTS=ON", "-DMAEST_BUILD_PYTHON=OFF",
        *([f"-DMAEST_GOOGLETEST={sources}"] if sources else []), *options,
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(folder)]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "core_tests"


def run(program: Path, isa: str) -> dict[str, Outcome]:
    """Run all tests under one instruction set ("" for the best); give what became of each."""
    results = program.parent / f"results-{isa}.xml"
    environment = {
        **os.environ,
        "ESSENTIA_MAEST_ISA": isa,
        "MAEST_TEST_MODEL": str(UNTRAINED),
        "ESSENTIA_MAEST_ONNXRUNTIME": str(find_library()),
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1",
        # ONNX Runtime is not instrumented: what happens wholly inside it is not judged.
        "TSAN_OPTIONS": f"halt_on_error=1 suppressions={ROOT}/cpp/tests/tsan_suppressions.txt",
    }
    done = subprocess.run(
        [str(program), f"--gtest_output=xml:{results}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=program.parent,
    )
    report = done.stdout + done.stderr
    assert results.exists(), report  # it ended before its end
    assert "Sanitizer" not in report, report
    cases = ElementTree.parse(results).iter("testcase")
    found = {f"{case.get('classname')}.{case.get('name')}": _outcome(case) for case in cases}
    failed = any(outcome.result == "failed" for outcome in found.values())
    assert (done.returncode != 0) == failed, report
    return found


def _outcome(case: ElementTree.Element) -> Outcome:
    for tag, result in (("failure", "failed"), ("skipped", "skipped")):
        texts = [part.text or "" for part in case.iter(tag)]
        if texts:
            return Outcome(result, "\n".join(texts).strip())
    assert case.get("result") == "completed"
    return Outcome("passed", "")


@functools.cache
def outcomes(folder: Path, sanitizers: str, isa: str) -> dict[str, Outcome]:
    """Build once for each choice of sanitizers and run once for each instruction set."""
    return run(_built(folder / (sanitizers.replace(",", "-") or "plain"), sanitizers), isa)


@functools.cache
def _built(folder: Path, sanitizers: str) -> Path:
    if not sanitizers:
        return build(folder, "-DCMAKE_BUILD_TYPE=Release")
    # With more optimisation GCC takes three times as long to instrument.
    return build(
        folder,
        f"-DMAEST_SANITIZE={sanitizers}",
        "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
        "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -DNDEBUG",
    )
