"""What the tests that build have in common: commands, and CMake as the environment has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(**settings: str) -> dict[str, str]:
    """Return this process's variables with the environment's programs first on the path."""
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, **settings}


def attempt(
    command: list[str], folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment() if variables is None else dict(variables),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> str:
    done = attempt(command, folder, variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(name: str) -> str:
    found = shutil.which(name, path=environment()["PATH"])
    assert found is not None, f"{name} is not installed"
    return found


def configure(source: Path, build: Path, **settings: object) -> list[str]:
    """Return the command that configures `source` in the folder `build`."""
    values = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_MAKE_PROGRAM": program("ninja"),
        "Python_EXECUTABLE": sys.executable,
        **settings,
    }
    return [
        program("cmake"), "-S", str(source), "-B", str(build), "-G", "Ninja",
        *(f"-D{name}={value}" for name, value in values.items()),
    ]  # fmt: skip
