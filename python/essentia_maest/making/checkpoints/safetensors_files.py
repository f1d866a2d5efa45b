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
        If safetensors or ml-dtypes is not installed.
    """
    try:
        import ml_dtypes  # noqa: F401  has numpy know bfloat16, which safetensors asks it for
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs the packages safetensors and ml-dtypes: "
            "pip install 'essentia-maest[convert]'"
        ) from error
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: wanted a safetensors file, found damage ({error})") from error
