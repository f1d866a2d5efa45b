"""The line on machine and versions that any measured number needs."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from . import _core
from .installed import version_of

_PACKAGES = ("essentia-maest", "essentia", "numpy", "onnxruntime", "scikit-learn", "torch")
_GROUP = Path("/sys/fs/cgroup")
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


def memory_left() -> int | None:
    """Tell how much memory this process and others of its group may still take.

    Returns
    -------
    int or None
        Bytes: what is free or can be freed, of the machine and of its container; None where the
        system does not tell.
    """
    found = [_memory_of_machine(), _memory_of_group()]
    return min((left for left in found if left is not None), default=None)


def versions() -> str:
    """List the versions of Python and of the packages that numbers depend on."""
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        if (there := version_of(name)) is not None:
            found.append(f"{name} {there}")
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


def _memory_of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        try:  # all that there is, where nothing tells what is free
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError):
            return None
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    words = told.get("MemAvailable", "").split()
    return int(words[0]) << 10 if words else None


def _memory_of_group() -> int | None:
    """Give what is left of the limit that a container has, in either form of control groups."""
    for most, used, what in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        try:
            limit = (_GROUP / most).read_text(encoding="ascii").strip()
            taken = int((_GROUP / used).read_text(encoding="ascii"))
            lines = (_GROUP / what).read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            continue
        if limit == "max":
            return None
        told = dict(line.split(" ", 1) for line in lines if " " in line)
        # Pages of files that were read count as taken, and are given back when they are wanted.
        return max(0, int(limit) - taken + int(told.get("inactive_file", 0)))
    return None
