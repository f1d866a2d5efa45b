"""The exceptions of the package: few, and each a subclass of what Python users would catch."""

from __future__ import annotations


class MaestError(Exception):
    """Base of every exception that essentia-maest raises on purpose."""


class InvalidArgumentError(MaestError, ValueError):
    """An argument, or the audio, is not usable; the message names what was found and wanted."""


class ModelError(MaestError, ValueError):
    """A model file is missing, damaged, foreign, or does not fit what is asked of it."""


class AudioFileError(MaestError, OSError):
    """An audio file cannot be read or decoded."""


class DecodeError(MaestError):
    """One decoder's reason for giving nothing; in the end an `AudioFileError` tells it."""


class OnnxRuntimeError(MaestError, ImportError):
    """ONNX Runtime is missing, too old, or failed."""


class FetchError(MaestError, OSError):
    """A public model cannot be brought: no connection, another file than wanted, no room."""


class NotPublishedError(FetchError):
    """A server does not have the file that it was asked for."""


class UntrainedModelWarning(UserWarning):
    """The model's weights are random: its output says nothing about the music."""
