"""The command in a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MAEST = [sys.executable, "-m", "essentia_maest"]
FILES = ("--format", "files")


def maest(*arguments: str | Path, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MAEST, *map(os.fspath, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **more,
    )


def make_tiny_model(folder: Path) -> Path:
    """Make a model file of the smallest network, as a user would."""
    path = folder / "tiny.onnx"
    done = maest("convert", "--random-weights", "tiny", path)
    assert done.returncode == 0, done.stderr
    return path
