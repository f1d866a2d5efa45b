"""What computes and decodes here: results depend on it in their last digits, and some in more."""

from __future__ import annotations

import contextlib
import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

from . import _core
from .decoding.libraries import essentia_library
from .errors import OnnxRuntimeError
from .installed import version_of
from .machine import instructions
from .ort_library import use_library

if TYPE_CHECKING:
    from .model import Model

NOT_RECORDED = "not recorded"

# A copy in another folder computes the same.
_OF_NO_WEIGHT = frozenset({"runtime.library"})


def provenance(model: Model | None = None) -> dict[str, Any]:
    """Tell what is at work here: kernels, ONNX Runtime and decoders, with their versions.

    Two runs whose provenance is equal give equal results. Models in 8-bit integers depend on the
    kernels most: their products saturate on x86 CPUs without VNNI.

    Parameters
    ----------
    model : Model, optional
        Whose operators are to be told besides.

    Returns
    -------
    dict
        As JSON has it. ``engine``: the version of this package. ``kernels``: the instruction set
        that the engine chose (``isa``) and the one that each kernel was compiled for,
        ``"onnxruntime"`` where the work is left to it; with a model also ``operators``, those of
        the engine's own operators that really compute nodes of it, in the same words.
        ``processor``: instruction sets that ONNX Runtime chooses its kernels by. ``runtime``:
        ONNX Runtime's version and the library that was opened; None without one. ``decoders``:
        the versions of Essentia, of the FFmpeg and the libsamplerate inside it, and of libsndfile;
        None for what is not installed.

    Raises
    ------
    InvalidArgumentError
        ``ESSENTIA_MAEST_ISA`` names an instruction set that this CPU does not run.

    Examples
    --------
    >>> import essentia_maest as maest
    >>> isa = maest.provenance()["kernels"]["isa"]
    >>> isa in ("baseline", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "dotprod", "i8mm")
    True
    """
    kernels: dict[str, Any] = _core.kernels()
    if model is not None:
        kernels["operators"] = dict(model.operators)
    return {
        "engine": version_of("essentia-maest"),
        "kernels": kernels,
        "processor": list(instructions()),
        "runtime": _runtime(),
        "decoders": dict(_decoders()),
    }


def differences(there: Any, here: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Tell in what one provenance differs from another.

    Parameters
    ----------
    there
        What `provenance` told another time, or something else: then nothing was recorded.
    here : dict
        What it tells now.

    Returns
    -------
    dict of str to tuple of str
        What differs, such as ``"runtime.onnxruntime"`` -> there, here. Empty if nothing does.
    """
    if not isinstance(there, dict):
        return {"provenance": (NOT_RECORDED, "recorded")}
    ours, theirs = _flat(here), _flat(there)
    return {
        name: (theirs.get(name, NOT_RECORDED), ours.get(name, NOT_RECORDED))
        for name in {**ours, **theirs}
        if name not in _OF_NO_WEIGHT and ours.get(name) != theirs.get(name)
    }


def provenance_lines(told: dict[str, Any]) -> dict[str, str]:
    """Put a provenance in words, for people.

    Parameters
    ----------
    told : dict
        What `provenance` gave.

    Returns
    -------
    dict of str to str
        Topic -> one line.
    """
    kernels = {name: value for name, value in told["kernels"].items() if name != "operators"}
    lines = {"kernels": _listed(kernels)}
    if "operators" in told["kernels"]:
        lines["operators"] = _listed(told["kernels"]["operators"])
    lines["processor"] = ", ".join(told["processor"]) or "unknown"
    runtime = told["runtime"]
    lines["runtime"] = f"onnxruntime {runtime['onnxruntime']}, {runtime['library']}"
    lines["decoders"] = _listed(told["decoders"])
    return lines


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value or 'missing'}" for name, value in values.items())


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        elif isinstance(value, list):
            flat[prefix + name] = " ".join(map(str, value)) or "none"
        else:
            flat[prefix + name] = "missing" if value is None else str(value)
    return flat


def _runtime() -> dict[str, str | None]:
    try:
        use_library()
        return {"onnxruntime": _core.ort_version(), "library": _core.ort_library()}
    except OnnxRuntimeError:
        return {"onnxruntime": None, "library": None}


@cache
def _decoders() -> dict[str, str | None]:
    """Give the decoders' versions. Essentia is not imported: its library tells those inside it."""
    return {
        "essentia": version_of("essentia"),
        **_inside_essentia(),
        "libsndfile": _libsndfile_version(),
    }


def _inside_essentia() -> dict[str, str | None]:
    library = _essentia_library()
    return {
        "ffmpeg": _text_of(library, "av_version_info"),
        "avcodec": _number_of(library, "avcodec_version"),
        "avformat": _number_of(library, "avformat_version"),
        "avutil": _number_of(library, "avutil_version"),
        "libsamplerate": _text_of(library, "src_get_version"),
    }


def _essentia_library() -> ctypes.CDLL | None:
    with contextlib.suppress(OSError):
        if (file := essentia_library()) is not None:
            return ctypes.CDLL(str(file))
    return None


def _text_of(library: ctypes.CDLL | None, name: str) -> str | None:
    """Call a function that gives text; None where the library does not export it."""
    function = getattr(library, name, None)
    if function is None:
        return None
    function.restype = ctypes.c_char_p
    text = function()
    # libsamplerate tells its name and its copyright besides.
    return (
        None
        if text is None
        else text.decode("utf-8", "replace").split(" (c)")[0].removeprefix("libsamplerate-")
    )


def _number_of(library: ctypes.CDLL | None, name: str) -> str | None:
    """Call one of FFmpeg's functions that give a version as a number."""
    function = getattr(library, name, None)
    if function is None:
        return None
    function.restype = ctypes.c_uint
    number = function()
    return f"{number >> 16}.{number >> 8 & 0xFF}.{number & 0xFF}"


def _libsndfile_version() -> str | None:
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package, but no library
        return None
    return str(soundfile.__libsndfile_version__)
