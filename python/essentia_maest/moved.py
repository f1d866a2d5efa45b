"""Modules by the names that they had before 0.2: importable until 0.3, with a warning."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_PACKAGE = "essentia_maest"

#: Earlier name -> name now, both below the package.
MOVED = {
    "audio": "decoding.audio",
    "bench": "commands.benchmark",
    "checkpoints": "making.checkpoints",
    "checkpoints.ast_naming": "making.checkpoints.ast_naming",
    "checkpoints.checkpoint": "making.checkpoints.checkpoint",
    "checkpoints.huggingface": "making.checkpoints.huggingface",
    "checkpoints.maest_naming": "making.checkpoints.maest_naming",
    "checkpoints.official_onnx": "making.checkpoints.official_onnx",
    "checkpoints.pytorch_files": "making.checkpoints.pytorch_files",
    "checkpoints.reading": "making.checkpoints.reading",
    "checkpoints.safetensors_files": "making.checkpoints.safetensors_files",
    "checkpoints.training_files": "making.checkpoints.training_files",
    "cli": "commands.cli",
    "cli_arguments": "commands.arguments",
    "convert": "making.conversion",
    "essentia_build": "plugin.essentia_build",
    "families": "reading.families",
    "graph": "making.graph",
    "graph_operators": "making.graph_operators",
    "graph_quantization": "making.graph_quantization",
    "graph_scope": "making.graph_scope",
    "metadata": "making.metadata",
    "model_description": "reading.description",
    "model_store": "reading.store",
    "model_writing": "making.model_writing",
    "precision_check": "making.precision_check",
    "registration": "plugin.registration",
    "signal": "samples",
    "weights": "making.weights",
}


def watch_imports() -> None:
    """Have earlier names lead to the modules of today."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # The first: the finder of files would load a second copy of what an earlier package holds.
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != _PACKAGE or name not in MOVED:
            return None
        is_package = any(other.startswith(f"{name}.") for other in MOVED)
        return importlib.machinery.ModuleSpec(
            fullname, _Loader(f"{_PACKAGE}.{MOVED[name]}"), is_package=is_package
        )


class _Loader(importlib.abc.Loader):
    def __init__(self, now: str) -> None:
        self._now = now

    def exec_module(self, module: ModuleType) -> None:
        earlier = module.__name__
        warnings.warn(
            f"{earlier} is now {self._now}; the earlier name goes with release 0.3",
            DeprecationWarning,
            stacklevel=2,
        )
        real = importlib.import_module(self._now)
        # A function of the package has this name, and importing the module hides it.
        sys.modules[earlier] = _CallableModule(real) if earlier == f"{_PACKAGE}.convert" else real


class _CallableModule(ModuleType):
    """The module `convert`, which is called as the function is."""

    def __init__(self, real: ModuleType) -> None:
        super().__init__(f"{_PACKAGE}.convert")
        self.__dict__.update(real.__dict__)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.__dict__["convert"](*arguments, **options)
