"""Adds the algorithms `OnnxPredictMAEST` and `OnnxPredict2D` to the installed Essentia.

Importing the package imports no Essentia: the algorithms are added when `essentia.standard` or
`essentia.streaming` has been imported, or at once if that was earlier.

Where Essentia has an algorithm or a class of one of these names, it stays. Each algorithm is there
under a second name in any case, which begins with ``Maest``.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.abc
import importlib.util
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..essentia_algorithms import quiet_essentia
from .library import UnsupportedEssentiaError, loaded_plugin

ALGORITHMS = ("OnnxPredictMAEST", "OnnxPredict2D")

_CREATORS = {
    "essentia.standard": "_create_essentia_class",
    "essentia.streaming": "_create_streaming_algo",
}

_log = logging.getLogger("essentia_maest")

# Essentia's factories are not thread-safe. Nothing of this package is imported under this lock: who
# imports the package may wait for it.
_lock = threading.RLock()


@dataclass
class _State:
    refusal: UnsupportedEssentiaError | None = None
    told: set[tuple[str, str]] = field(default_factory=set)  # modules and names that are taken


_state = _State()


def essentia_available() -> bool:
    """Say whether `OnnxPredictMAEST` and `OnnxPredict2D` are in the installed Essentia.

    Imports Essentia if need be, without its log lines. If False, `require_essentia` tells why, and
    everything else in this package works all the same.

    Returns
    -------
    bool
        Also True where Essentia has algorithms of its own with these names: those of this package
        are then there by their second names only, ``MaestOnnxPredictMAEST`` and
        ``MaestOnnxPredict2D``.
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
    if not any(_is_watcher(finder) and isinstance(finder, _Watcher) for finder in sys.meta_path):
        # Those of a copy of this package that was removed from sys.modules have served.
        sys.meta_path[:] = [finder for finder in sys.meta_path if not _is_watcher(finder)]
        sys.meta_path.insert(0, _Watcher())
    for name in _CREATORS:
        if _is_initializing(sys.modules.get(name)):
            # Another thread imports it, unwatched since it began before us: wait for that.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        module = sys.modules.get(name)
        if module is not None and not _is_initializing(module):
            _register(module)


def _is_initializing(module: ModuleType | None) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _is_watcher(finder: Any) -> bool:
    return (type(finder).__module__, type(finder).__name__) == (__name__, _Watcher.__name__)


class _Watcher(importlib.abc.MetaPathFinder):
    """Finds Essentia's modules as everyone else does, and sees them executed."""

    def __init__(self) -> None:
        self._here = threading.local()  # `busy`: in this thread the others are being asked

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _CREATORS or getattr(self._here, "busy", False):
            return None
        self._here.busy = True  # other finders may ask all finders too
        try:
            return self._ask_others(fullname, path, target)
        finally:
            self._here.busy = False

    def _ask_others(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in list(sys.meta_path):
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                loader: Any = spec.loader
                if isinstance(loader, importlib.util.LazyLoader):
                    # To add the classes is to use the module at once; and who asks us may make it
                    # lazy again, which Python 3.14 does not survive.
                    loader = loader.loader  # type: ignore[attr-defined]
                if hasattr(loader, "exec_module"):
                    spec.loader = _RegisteringLoader(loader)
                return spec
        return None


class _RegisteringLoader(importlib.abc.Loader):
    """Executes a module by its own loader, then adds the algorithms to it."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Give whatever else the loader has, such as the module's source."""
        if name == "_loader":  # while this object is being copied
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

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
            import essentia._essentia

            plugin = loaded_plugin(essentia._essentia)
            for algorithm in ALGORITHMS:
                _add_classes(module, algorithm, plugin)
            _let_signals_through(essentia._essentia, "run", plugin)  # of networks
        except UnsupportedEssentiaError as refusal:
            _state.refusal = refusal
        except Exception as error:
            _state.refusal = UnsupportedEssentiaError(
                f"the algorithms could not be added to Essentia: {type(error).__name__}: {error}"
            )


def _add_classes(module: ModuleType, algorithm: str, plugin: ctypes.PyDLL) -> None:
    create = getattr(module, _CREATORS[module.__name__])
    second_name = f"Maest{algorithm}"
    for name in (second_name, algorithm):
        if not hasattr(module, name):
            create(name)
    ours, found = getattr(module, second_name), getattr(module, algorithm)
    is_ours = _description(found) == _description(ours)
    if module.__name__ == "essentia.standard":
        _let_signals_through(ours, "compute", plugin)
        if is_ours:
            _let_signals_through(found, "compute", plugin)
    if not is_ours and (module.__name__, algorithm) not in _state.told:
        _state.told.add((module.__name__, algorithm))
        _log.warning(
            "%s has an algorithm %s that is not of essentia-maest, and keeps it; that of "
            "essentia-maest is %s",
            module.__name__,
            algorithm,
            second_name,
        )


def _description(algorithm: Any) -> Any:
    """Return what Essentia's classes say of themselves, the same under each name."""
    structure = getattr(algorithm, "__struct__", None)
    return structure.get("description") if isinstance(structure, dict) else None


def _let_signals_through(owner: Any, name: str, plugin: ctypes.PyDLL) -> None:
    """Have a function raise what a signal handler raised, rather than Essentia's RuntimeError."""
    function = getattr(owner, name)
    if hasattr(function, "__wrapped__"):
        return

    @functools.wraps(function)
    def interruptible(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except RuntimeError:
            plugin.essentia_maest_raise_interruption()
            raise

    setattr(owner, name, interruptible)
