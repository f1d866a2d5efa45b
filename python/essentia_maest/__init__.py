"""MAEST, the Music Audio Efficient Spectrogram Transformer, fast on CPUs and made for Essentia.

Examples
--------
>>> import essentia_maest as maest
>>> model = maest.Model("default")
>>> audio = maest.load_audio(maest.example_audio())
>>> activations = model.predict(audio)
>>> embeddings = model.embed(audio, patchout="F3T5")
"""

from . import starting as _starting  # noqa: F401 - before all that takes its time

# isort: split
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import moved as _moved
from .decoding.audio import load_audio
from .decoding.audio_file import AudioFile
from .errors import (
    AudioFileError,
    InvalidArgumentError,
    MaestError,
    ModelError,
    OnnxRuntimeError,
    StoppedEarlyError,
    StreamStoppedError,
    UntrainedModelWarning,
)
from .example import example_audio
from .file_analysis import FileAnalysis, FileFailure
from .head import Head
from .installed import version_of as _version_of
from .model import Model
from .origin import provenance
from .patchout import Patchout
from .plugin.library import UnsupportedEssentiaError
from .plugin.registration import essentia_available, require_essentia, watch_imports
from .request import Request
from .spectrogram import MelFrontend, mel_spectrogram
from .stream import Stream

if TYPE_CHECKING:
    from .collection.many_files import analyze_files
    from .making.conversion import convert
    from .results.opened import Results, open_results

__version__: str

__all__ = [
    "AudioFile",
    "AudioFileError",
    "FileAnalysis",
    "FileFailure",
    "Head",
    "InvalidArgumentError",
    "MaestError",
    "MelFrontend",
    "Model",
    "ModelError",
    "OnnxRuntimeError",
    "Patchout",
    "Request",
    "Results",
    "StoppedEarlyError",
    "Stream",
    "StreamStoppedError",
    "UnsupportedEssentiaError",
    "UntrainedModelWarning",
    "__version__",
    "analyze_files",
    "convert",
    "essentia_available",
    "example_audio",
    "load_audio",
    "mel_spectrogram",
    "open_results",
    "provenance",
    "require_essentia",
]

watch_imports()
_moved.watch_imports()


#: What is imported only when it is asked for: many files need processes, making models much more.
_LATER = {
    "Results": "results.opened",
    "analyze_files": "collection.many_files",
    "convert": "making.conversion",
    "open_results": "results.opened",
}


def __getattr__(name: str) -> Any:
    """Import the rest when it is asked for."""
    if name in _LATER:
        globals()[name] = value = getattr(_import_module(f".{_LATER[name]}", __name__), name)
        return value
    if name == "__version__":
        globals()[name] = found = _version_of("essentia-maest")
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
