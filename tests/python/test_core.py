"""Builds the core's C++ unit tests and runs them, plainly and under sanitizers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from essentia_maest.ort_library import find_library
from untrained import UNTRAINED

ROOT = Path(__file__).parents[2]


def build_core_tests(folder: Path, sanitizers: str) -> Path:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    configure = [
        "cmake", "-S", str(ROOT), "-B", str(folder), "-G", "Ninja",
        "-DMAEST_BUILD_TESTS=ON", "-DMAEST_BUILD_PYTHON=OFF", f"-DMAEST_SANITIZE={sanitizers}",
        f"-DCMAKE_BUILD_TYPE={'RelWithDebInfo' if sanitizers else 'Release'}",
    ]  # fmt: skip
    for command in (configure, ["cmake", "--build", str(folder)]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "core_tests"


@pytest.mark.parametrize("sanitizers", ["", "address,undefined", "thread"])
def test_core(tmp_path: Path, sanitizers: str) -> None:
    program = build_core_tests(tmp_path / "build", sanitizers)
    environment = {
        **os.environ,
        "MAEST_TEST_MODEL": str(UNTRAINED),
        "ESSENTIA_MAEST_ONNXRUNTIME": str(find_library()),
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1",
        # ONNX Runtime is not instrumented: what happens wholly inside it is not judged.
        "TSAN_OPTIONS": f"halt_on_error=1 suppressions={ROOT}/cpp/tests/tsan_suppressions.txt",
    }
    done = subprocess.run(
        [str(program)], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    report = done.stdout + done.stderr
    assert done.returncode == 0, report
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed"), report
    assert "Sanitizer" not in report
