"""Loads the plugin, the shared library with the algorithms, into the Essentia of this process."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from pathlib import Path
from typing import Any

from .. import _core
from ..errors import MaestError, OnnxRuntimeError
from ..ort_library import find_library
from ..reading.store import resolve
from .essentia_build import reason_against

# Beside the compiled module: in an editable installation the Python files lie elsewhere.
PLUGIN = Path(_core.__file__).with_name("_essentia_plugin.so")

# The room that cmake/essentia_plugin.cmake leaves for the path of the loaded Essentia.
_PATH_ROOM = b"/" + b"essentia" * 512

# Functions in EssentiaMaestPython in cpp/essentia/plugin.h; of several names, the first that this
# Python has.
_PYTHON_FUNCTIONS = (
    ("PyGILState_Check",),
    ("PyEval_SaveThread",),
    ("PyEval_RestoreThread",),
    ("PyErr_CheckSignals",),
    ("PyErr_Fetch",),
    ("PyErr_Restore",),
    ("Py_IsFinalizing", "_Py_IsFinalizing"),
    ("PyObject_CallFunction",),
    ("PyLong_AsLong",),
    ("Py_DecRef",),
    ("PyErr_Clear",),
)

# EssentiaMaestTakeAnswer and EssentiaMaestFindModel in cpp/essentia/plugin.h.
_TakeAnswer = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
_FindModel = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _TakeAnswer, ctypes.c_void_p)

# Kept on Essentia's own module, since what is in Essentia stays there: whoever removes this package
# from sys.modules and imports it again is to find the same plugin.
_PLACE = "_essentia_maest_plugin"


class UnsupportedEssentiaError(MaestError, ImportError):
    """The installed Essentia cannot take the algorithms; the message says why."""


def loaded_plugin(essentia_library: Any) -> ctypes.PyDLL:
    """Return the plugin that has added its algorithms to `essentia_library`, loaded if need be.

    Parameters
    ----------
    essentia_library : module
        ``essentia._essentia``.

    Raises
    ------
    UnsupportedEssentiaError
        If that Essentia cannot take it.
    """
    plugin = getattr(essentia_library, _PLACE, None)
    if plugin is None:
        plugin = _load(Path(essentia_library.__file__).resolve())
        setattr(essentia_library, _PLACE, plugin)
    return plugin


def _load(library: Path) -> ctypes.PyDLL:
    if not PLUGIN.exists():
        raise UnsupportedEssentiaError(
            f"this installation of essentia-maest has no {PLUGIN.name}: it was built without the "
            "Essentia algorithms, which exist for Linux only"
        )
    reason = reason_against(library, PLUGIN)
    if reason:
        raise UnsupportedEssentiaError(reason)

    plugin = _open_beside(library, PLUGIN.read_bytes())
    try:
        onnxruntime = os.fsencode(find_library())
    except OnnxRuntimeError:
        onnxruntime = b""  # configuring an algorithm will say what is missing
    plugin.essentia_maest_register.restype = ctypes.c_char_p
    problem = plugin.essentia_maest_register(onnxruntime)
    if problem:
        raise UnsupportedEssentiaError(problem.decode())
    functions = [
        ctypes.cast(_function_of_python(*names), ctypes.c_void_p) for names in _PYTHON_FUNCTIONS
    ]
    fields = [
        *functions,
        ctypes.c_void_p(id(signal.set_wakeup_fd)),
        ctypes.c_void_p(threading.main_thread().ident),
    ]
    plugin.essentia_maest_use_python((ctypes.c_void_p * len(fields))(*fields))
    # The end of the interpreter waits for what its threads have begun; Python has 32 such places.
    ctypes.pythonapi.Py_AtExit(ctypes.cast(plugin.essentia_maest_end, ctypes.c_void_p))
    for kept in (_find_model, signal.set_wakeup_fd):  # the plugin is never unloaded
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    plugin.essentia_maest_use_model_names(_find_model)
    return plugin


def _function_of_python(*names: str) -> Any:
    return getattr(ctypes.pythonapi, next(n for n in names if hasattr(ctypes.pythonapi, n)))


def _tell_model(name: bytes, take: Any, answer: Any) -> None:
    """Tell an algorithm which file its `graphFilename` stands for, as `Model` understands it."""
    try:
        path = os.fsencode(resolve(os.fsdecode(name)))
    except Exception as error:  # nothing may be raised into C++
        take(answer, None, str(error).encode())
    else:
        take(answer, path, None)


_find_model = _FindModel(_tell_model)


def _open_beside(library: Path, image: bytes) -> ctypes.PyDLL:
    """Open the plugin `image` so that it, and nothing else, finds its symbols in `library`.

    Opening Essentia's library a second time with RTLD_GLOBAL would do for the plugin, but would
    also give the FFmpeg and FFTW inside it to whatever is imported later: PyAV crashes by that.
    Instead a copy of the plugin, in memory, names the library as its own.
    """
    path = os.fsencode(library)
    if image.count(_PATH_ROOM) != 1 or len(path) > len(_PATH_ROOM):
        raise UnsupportedEssentiaError(
            f"{PLUGIN} has no room for the path of Essentia's library, {library}"
        )
    image = image.replace(_PATH_ROOM, path.ljust(len(_PATH_ROOM), b"\0"))
    descriptor = os.memfd_create(PLUGIN.name)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(image)
        # With the process's number: the loader takes equal paths for the same library for ever,
        # and the descriptor will be another file's.
        return ctypes.PyDLL(f"/proc/{os.getpid()}/fd/{descriptor}", mode=os.RTLD_NOW)
    finally:
        os.close(descriptor)
