"""Safetensors files to named arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from essentia_maest.errors import ModelError


def read_safetensors_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of a safetensors file.

    Raises
    ------
    ModelError
        If the file is damaged.
    ImportError
        If safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs the package safetensors: "
            "pip install 'essentia-maest[convert]'"
        ) from error
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError) as error:
        raise ModelError(f"{path}: wanted a safetensors file, found damage ({error})") from error
