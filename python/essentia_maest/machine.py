"""The line on machine and versions that any measured number needs."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import _core

_PACKAGES = ("essentia-maest", "essentia", "numpy", "onnxruntime", "scikit-learn", "torch")
# By these ONNX Runtime chooses its kernels.
_FAST_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


def machine() -> str:
    """Describe this machine: processor, CPUs, instruction sets that matter, load."""
    sets = instructions()
    return (
        f"{_processor()[0]}, {_core.available_cpus()} CPUs usable"
        + (f", {', '.join(sets)}" if sets else "")
        + f"; load {os.getloadavg()[0]:.1f} before the run"
    )


def instructions() -> tuple[str, ...]:
    """List this processor's instruction sets that change how fast, and what, models compute.

    Returns
    -------
    tuple of str
        As Linux names them; empty where the system does not tell.
    """
    _, flags = _processor()
    return tuple(name for name in _FAST_INSTRUCTIONS if name in flags)


def versions() -> str:
    """List the versions of Python and of the packages that numbers depend on."""
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _processor() -> tuple[str, set[str]]:
    """Give the processor's name and its instruction sets, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    entries: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        entries.setdefault(name.strip(), value.strip())
    name = entries.get("model name") or platform.processor() or platform.machine()
    return name, set((entries.get("flags") or entries.get("Features") or "").split())
