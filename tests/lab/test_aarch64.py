"""python -m lab.aarch64: the engine on aarch64, where this machine can emulate it."""

import shutil
import subprocess

import pytest

from lab import aarch64

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"


def emulates() -> bool:
    """Tell whether all that is wanted is here; ONNX Runtime crashes on QEMU 7.2."""
    if not shutil.which(COMPILER) or not shutil.which(EMULATOR):
        return False
    told = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=True)
    return int(told.stdout.split("version ")[1].split(".")[0]) >= 10


def test_what_is_missing_is_named(tmp_path, capsys):
    assert aarch64.main([str(tmp_path / "none"), "--compiler", "no-such-compiler"]) == 2
    assert "no-such-compiler is not there" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    not emulates(), reason=f"no {COMPILER}, or no {EMULATOR} of version 10 or later"
)
def test_models_give_there_what_they_give_here(tmp_path, capsys):
    assert aarch64.main([str(tmp_path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    isas = [isa for isas in aarch64.CPUS.values() for isa in isas]
    for model in ("random, fp32", "random, int8", "default, int8"):
        found = {row[2]: row[3:] for row in rows if row[0] == model and row[1] in aarch64.CPUS}
        assert list(found) == isas
        assert found["dotprod"] == found["i8mm"]
        for activations, _, angle in found.values():
            precise = model == "random, fp32"
            assert float(activations) < (1e-4 if precise else 0.03)
            assert float(angle) < (1e-5 if precise else 1e-3)
