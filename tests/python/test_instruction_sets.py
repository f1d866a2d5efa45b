"""The tests of what depends on kernels, once more under each instruction set that this CPU has."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from essentia_maest import _core

FOLDER = Path(__file__).parent
TESTS = ("test_kernels.py", "test_mel.py", "test_quantized_attention.py")


@pytest.mark.slow
@pytest.mark.parametrize("isa", _core.instruction_sets())
def test_kernels_under_one_instruction_set(isa: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider",
            "-c", str(FOLDER.parents[1] / "pyproject.toml"), "--basetemp", str(tmp_path / "tests"),
            *(str(FOLDER / name) for name in TESTS),
        ],
        env={**os.environ, "ESSENTIA_MAEST_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER.parents[1],
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 20
    skipped = "no kernels of attention" in done.stdout
    assert skipped == (isa not in ("avx512vnni", "dotprod", "i8mm"))
