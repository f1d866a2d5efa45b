"""What a result file of pytest-benchmark says of the machine."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from essentia_maest import _core

PACKAGES = ("essentia-maest", "essentia", "maest-infer", "numpy", "onnxruntime", "torch")


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    """Add what a speed depends on to the result file."""
    machine_info["cpus_usable"] = _core.available_cpus()
    machine_info["load_before"] = os.getloadavg()[0]
    machine_info["packages"] = _installed(PACKAGES)
    if torch.cuda.is_available():
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        machine_info["gpu"] = (
            f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, cuDNN {cudnn}"
        )
