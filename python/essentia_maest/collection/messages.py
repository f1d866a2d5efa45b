"""What the process that analyses and those that decode say to each other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..hearing import Hearing
from ..spread import SeekableAudio, Spread
from .outcomes import Failure


class AudioSource(SeekableAudio, Protocol):
    """An opened audio file, such as `essentia_maest.AudioFile`."""

    @property
    def path(self) -> Path:
        """Of the file, or of its copy on this machine."""

    @property
    def decoder(self) -> str:
        """Who decodes it."""

    @property
    def container(self) -> str:
        """What it is."""

    @property
    def codec(self) -> str:
        """How its samples are coded."""

    @property
    def ending(self) -> str | None:
        """How it ended; None until its end was reached."""

    @property
    def damage(self) -> str | None:
        """What was wrong with it, so far."""

    def close(self) -> None:
        """Let go of the file."""


OpenAudio = Callable[[str], AudioSource]


@dataclass(frozen=True)
class SetUp:
    """What all files have in common.

    Attributes
    ----------
    open_audio : callable
        Path of a file -> `AudioSource`; a function that a fresh process can import.
    windows : tuple of int
        Descriptors of shared memory; empty if there is none: samples are sent then.
    window_samples : int
        Samples of a track that may be on their way at a time.
    piece_samples : int
        How many are told of at a time.
    log_level : int
        From which on what is logged is sent back.
    hashed : bool
        Whether the audio is to be hashed.
    hearing : Hearing or None
        What need not be decoded, if anything.
    """

    open_audio: OpenAudio
    windows: tuple[int, ...]
    window_samples: int
    piece_samples: int
    log_level: int
    hashed: bool = False
    hearing: Hearing | None = None


@dataclass(frozen=True)
class Job:
    """A file to decode.

    Attributes
    ----------
    path : str
        Which.
    window : int
        Which of `SetUp.windows` its samples go to.
    longest : float or None
        Files that say that they are at least so many seconds long are left for later.
    spread : Spread or None
        Which parts are wanted, if not the whole.
    """

    path: str
    window: int
    longest: float | None = None
    spread: Spread | None = None


@dataclass(frozen=True)
class Written:
    """There are more samples.

    Attributes
    ----------
    samples : int
        How many there are since the beginning of the track.
    waiting : bool
        There is no room for more; the worker waits for `Room`.
    sent : numpy.ndarray or None
        The samples that came since the last message, where there is no shared memory.
    """

    samples: int
    waiting: bool = False
    sent: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class StartOver:
    """The samples so far do not count; the worker waits for `Room` before it writes others."""


@dataclass(frozen=True)
class Room:
    """Samples were heard, and may be overwritten: as many since the beginning of the track."""

    samples: int


@dataclass(frozen=True)
class Long:
    """The file says that it is long: nothing of it was decoded."""


@dataclass(frozen=True)
class Facts:
    """What a decoder tells of a track.

    Attributes
    ----------
    decoder, container, codec : str
        Who decoded it, and what it is.
    samples : int
        How long it is, at 16 kHz.
    starts : tuple of int or None
        First frames of the segments that were decoded; None for the whole track.
    peak : float
        Largest absolute value of a sample, of those that were decoded; below `SILENT_BELOW` of all
        that the track has.
    ending : {"complete", "truncated", "damaged", "unknown"}
        How the file ended; unknown where only parts were decoded.
    promised : float or None
        Seconds that the file promises, if it does.
    damage : str or None
        What was wrong with the file.
    audio_hash : str or None
        See `essentia_maest.results.audio_hash`, where it was asked for.
    """

    decoder: str
    container: str
    codec: str
    samples: int
    starts: tuple[int, ...] | None
    peak: float
    ending: str = "complete"
    promised: float | None = None
    damage: str | None = None
    audio_hash: str | None = None


@dataclass(frozen=True)
class Over:
    """A worker is done with a file; all its samples were told of before.

    Attributes
    ----------
    facts : Facts or None
        None if it failed.
    failure : Failure or None
        Why.
    seconds : float
        CPU time that it took.
    log : list of logging.LogRecord
        What was logged meanwhile.
    """

    facts: Facts | None
    failure: Failure | None = None
    seconds: float = 0.0
    log: list[logging.LogRecord] = field(default_factory=list)
