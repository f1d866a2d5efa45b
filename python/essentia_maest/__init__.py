"""MAEST, the Music Audio Efficient Spectrogram Transformer, fast on CPUs and made for Essentia.

Examples
--------
>>> import essentia_maest as maest
>>> model = maest.Model("default")
>>> audio = maest.load_audio(maest.example_audio())
>>> activations = model.predict(audio, tail="repeat")
>>> embeddings = model.embed(audio, patchout="F3T5", tail="repeat")
"""

from __future__ import annotations

from importlib.metadata import version as _version

from .audio import load_audio
from .convert import convert
from .errors import (
    AudioFileError,
    InvalidArgumentError,
    MaestError,
    ModelError,
    OnnxRuntimeError,
    UntrainedModelWarning,
)
from .example import example_audio
from .model import Model
from .patchout import Patchout
from .registration import (
    UnsupportedEssentiaError,
    essentia_available,
    require_essentia,
    watch_imports,
)
from .spectrogram import MelFrontend, mel_spectrogram
from .stream import Stream

__version__ = _version("essentia-maest")

__all__ = [
    "AudioFileError",
    "InvalidArgumentError",
    "MaestError",
    "MelFrontend",
    "Model",
    "ModelError",
    "OnnxRuntimeError",
    "Patchout",
    "Stream",
    "UnsupportedEssentiaError",
    "UntrainedModelWarning",
    "__version__",
    "convert",
    "essentia_available",
    "example_audio",
    "load_audio",
    "mel_spectrogram",
    "require_essentia",
]

watch_imports()
