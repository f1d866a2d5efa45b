"""What this processor can do."""

from __future__ import annotations

from pathlib import Path


def require_bfloat16() -> None:
    """Refuse processors that emulate bfloat16: one product takes them minutes.

    Raises
    ------
    RuntimeError
    """
    if "bf16" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        raise RuntimeError("this processor does not compute in bfloat16: torch takes minutes")
