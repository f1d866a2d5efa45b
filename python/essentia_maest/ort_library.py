"""Finds the ONNX Runtime library that the engine opens."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

from . import _core
from .errors import OnnxRuntimeError

_WANTED = (
    f"ONNX Runtime {_core.OLDEST_ORT} or newer is wanted: "
    f"pip install 'onnxruntime>={_core.OLDEST_ORT}'"
)

#: Overrides the search: the path of a libonnxruntime.
VARIABLE = "ESSENTIA_MAEST_ONNXRUNTIME"


def find_library() -> Path:
    """Return the shared library inside the installed `onnxruntime`, which is not imported.

    Raises
    ------
    OnnxRuntimeError
        If the package is not installed or carries no library (before its version 1.19).
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    try:
        spec = importlib.util.find_spec("onnxruntime")
    except ValueError:  # a module put in place without a spec
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise OnnxRuntimeError(f"the package onnxruntime is not installed; {_WANTED}")
    for location in spec.submodule_search_locations:
        capi = Path(location) / "capi"
        found = sorted([*capi.glob("libonnxruntime.so*"), *capi.glob("libonnxruntime*.dylib")])
        if found:
            return found[-1]
    raise OnnxRuntimeError(
        f"the package onnxruntime in {list(spec.submodule_search_locations)} has no "
        f"libonnxruntime in its folder capi; {_WANTED}"
    )


def refuse_telemetry() -> None:
    """Have ONNX Runtimes of this process and its children tell nobody of themselves.

    To be called before one is imported or opened. Whoever has set the variable otherwise is left
    with that.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@cache
def use_library() -> None:
    """Tell the engine which ONNX Runtime to open; it opens it with the first model."""
    refuse_telemetry()
    _core.set_ort_library(os.fsencode(find_library()))
