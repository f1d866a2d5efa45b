"""What every benchmark shares: one thread, random weights at full width, the machine's description.

Speed does not depend on the weights' values, so nothing has to be downloaded.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essentia_maest import _core
from essentia_maest.convert import convert_random

SECONDS = 30
PACKAGES = ("essentia-maest", "essentia", "maest-infer", "numpy", "onnxruntime", "torch")


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add what a speed depends on to the result file."""
    machine_info["cpus_usable"] = _core.available_cpus()
    machine_info["load_before"] = os.getloadavg()[0]
    machine_info["packages"] = {name: version(name) for name in PACKAGES}


@pytest.fixture(scope="session")
def audio() -> np.ndarray:
    """30 s of noise under a slow envelope: the cost of nothing here depends on the sound."""
    rng = np.random.default_rng(0)
    envelope = np.sin(np.linspace(0, 40, SECONDS * 16000)) ** 2
    return (0.2 * envelope * rng.standard_normal(SECONDS * 16000)).astype(np.float32)


@pytest.fixture(scope="session")
def base_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """MAEST-30s at full size (768 wide, 12 blocks), untrained, as model files."""
    folder = tmp_path_factory.mktemp("models")
    paths = {}
    for precision in ("fp32", "int8"):
        paths[precision] = folder / f"base-{precision}.onnx"
        convert_random("base", paths[precision], precision=precision)
    return paths
