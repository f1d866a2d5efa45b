"""What a result file of pytest-benchmark says of the machine."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

from essentia_maest import _core

PACKAGES = ("essentia-maest", "essentia", "maest-infer", "numpy", "onnxruntime", "torch")


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add what a speed depends on to the result file."""
    machine_info["cpus_usable"] = _core.available_cpus()
    machine_info["load_before"] = os.getloadavg()[0]
    machine_info["packages"] = {name: version(name) for name in PACKAGES}
