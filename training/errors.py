"""What training raises on purpose; each message names what was found and what is wanted."""

from __future__ import annotations


class TrainingError(Exception):
    """Base of every exception that training raises on purpose."""


class DataError(TrainingError, ValueError):
    """A table, dump, audio collection or data set cannot be used."""


class ConfigError(TrainingError, ValueError):
    """A configuration is wrong, or does not fit the data or the checkpoint."""


class CheckpointError(TrainingError, ValueError):
    """A checkpoint is damaged, foreign, or of the wrong size."""


class ExportError(TrainingError, RuntimeError):
    """An exported model does not do what the trained one does."""


class StoppedError(Exception):
    """A run ended early because a signal asked it to; its checkpoint is written.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.signal = number
