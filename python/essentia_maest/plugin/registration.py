"""Adds the algorithms `OnnxPredictMAEST` and `OnnxPredict2D` to the installed Essentia.

Importing the package imports no Essentia: the algorithms are added when `essentia.standard` or
`essentia.streaming` has been imported, or at once if that was earlier.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.abc
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from .. import _core
from ..errors import MaestError, OnnxRuntimeError

ALGORITHMS = ("OnnxPredictMAEST", "OnnxPredict2D")

_CREATORS = {
    "essentia.standard": "_create_essentia_class",
    "essentia.streaming": "_create_streaming_algo",
}

# Beside the compiled module: in an editable installation the Python files lie elsewhere.
_PLUGIN = Path(_core.__file__).with_name("_essentia_plugin.so")

# The room that cmake/essentia_plugin.cmake leaves for the path of the loaded Essentia.
_PATH_ROOM = b"/" + b"essentia" * 512

# The fields of EssentiaMaestPython in cpp/essentia/plugin.h.
_PYTHON_FUNCTIONS = (
    "PyGILState_Check",
    "PyEval_SaveThread",
    "PyEval_RestoreThread",
    "PyErr_CheckSignals",
    "PyErr_Fetch",
    "PyErr_Restore",
)

_lock = threading.RLock()  # Essentia's factories are not thread-safe


class UnsupportedEssentiaError(MaestError, ImportError):
    """The installed Essentia cannot take the algorithms; the message says why."""


@dataclass
class _State:
    plugin: ctypes.PyDLL | None = None
    refusal: UnsupportedEssentiaError | None = None


_state = _State()


def essentia_available() -> bool:
    """Say whether `OnnxPredictMAEST` and `OnnxPredict2D` are in the installed Essentia.

    Imports Essentia if need be, without its log lines. If False, `require_essentia` tells why, and
    everything else in this package works all the same.

    Returns
    -------
    bool
    """
    try:
        require_essentia()
    except ImportError:
        return False
    return True


def require_essentia() -> None:
    """Import Essentia if need be, and see that the algorithms are in it.

    Raises
    ------
    UnsupportedEssentiaError
        An ImportError: Essentia is not installed, or is not one of the builds whose inner layout
        the algorithms share. The message names what was found and what is supported.
    """
    from ..essentia_algorithms import quiet_essentia

    try:
        with quiet_essentia():
            import essentia.standard
            import essentia.streaming
    except ImportError as error:
        raise UnsupportedEssentiaError(f"Essentia cannot be imported: {error}") from error
    for module in (essentia.standard, essentia.streaming):
        _register(module)
    if _state.refusal is not None:
        raise _state.refusal


def watch_imports() -> None:
    """Have the algorithms added as soon as Essentia is imported, or now if it already is."""
    if not any(isinstance(finder, _Watcher) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watcher())
    for name in _CREATORS:
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            _register(module)


class _Watcher(importlib.abc.MetaPathFinder):
    """Finds Essentia's modules as everyone else does, and sees them executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _CREATORS:
            return None
        for finder in sys.meta_path:
            if isinstance(finder, _Watcher) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _RegisteringLoader(spec.loader)
                return spec
        return None


class _RegisteringLoader(importlib.abc.Loader):
    """Executes a module by its own loader, then adds the algorithms to it."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _register(module)


def _register(module: ModuleType) -> None:
    """Add the classes that `module` lacks. Never raises: who imports Essentia is not to suffer."""
    with _lock:
        if _state.refusal is not None:
            return
        try:
            if _state.plugin is None:
                _state.plugin = _load_plugin()
            create = getattr(module, _CREATORS[module.__name__])
            for algorithm in ALGORITHMS:
                if not hasattr(module, algorithm):
                    create(algorithm)
                if module.__name__ == "essentia.standard":
                    _let_signals_through(getattr(module, algorithm), _state.plugin)
        except UnsupportedEssentiaError as refusal:
            _state.refusal = refusal
        except Exception as error:
            _state.refusal = UnsupportedEssentiaError(
                f"the algorithms could not be added to Essentia: {type(error).__name__}: {error}"
            )


def _let_signals_through(algorithm: Any, plugin: ctypes.PyDLL) -> None:
    """Have `compute` raise what a signal handler raised, rather than Essentia's RuntimeError."""
    compute = algorithm.compute
    if hasattr(compute, "__wrapped__"):
        return

    @functools.wraps(compute)
    def interruptible(self: Any, *arguments: Any) -> Any:
        try:
            return compute(self, *arguments)
        except RuntimeError:
            plugin.essentia_maest_raise_interruption()
            raise

    algorithm.compute = interruptible


def _load_plugin() -> ctypes.PyDLL:
    import essentia._essentia

    from ..ort_library import find_library
    from .essentia_build import reason_against

    library = Path(essentia._essentia.__file__).resolve()
    if not _PLUGIN.exists():
        raise UnsupportedEssentiaError(
            f"this installation of essentia-maest has no {_PLUGIN.name}: it was built without the "
            "Essentia algorithms, which exist for Linux only"
        )
    reason = reason_against(library, _PLUGIN)
    if reason:
        raise UnsupportedEssentiaError(reason)

    plugin = _open_beside(library)
    try:
        onnxruntime = os.fsencode(find_library())
    except OnnxRuntimeError:
        onnxruntime = b""  # configuring an algorithm will say what is missing
    plugin.essentia_maest_register.restype = ctypes.c_char_p
    problem = plugin.essentia_maest_register(onnxruntime)
    if problem:
        raise UnsupportedEssentiaError(problem.decode())
    functions = [
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p) for name in _PYTHON_FUNCTIONS
    ]
    plugin.essentia_maest_use_python((ctypes.c_void_p * len(functions))(*functions))
    return plugin


def _open_beside(library: Path) -> ctypes.PyDLL:
    """Open the plugin so that it finds its missing symbols in `library`, and nothing else does.

    Opening Essentia's library a second time with RTLD_GLOBAL would do for the plugin, but would
    also give the FFmpeg and FFTW inside it to whatever is imported later: PyAV crashes by that.
    Instead a copy of the plugin, in memory, names the library as its own.
    """
    path = os.fsencode(library)
    image = _PLUGIN.read_bytes()
    if image.count(_PATH_ROOM) != 1 or len(path) > len(_PATH_ROOM):
        raise UnsupportedEssentiaError(
            f"{_PLUGIN} has no room for the path of Essentia's library, {library}"
        )
    image = image.replace(_PATH_ROOM, path.ljust(len(_PATH_ROOM), b"\0"))
    descriptor = os.memfd_create(_PLUGIN.name)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(image)
        # With the process's number: the loader takes equal paths for the same library for ever,
        # and the descriptor will be another file's.
        return ctypes.PyDLL(f"/proc/{os.getpid()}/fd/{descriptor}", mode=os.RTLD_NOW)
    finally:
        os.close(descriptor)
