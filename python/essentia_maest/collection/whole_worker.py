"""What runs in a process that analyses: a model opened once, and whole tracks."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection

from ..errors import UntrainedModelWarning, in_words
from ..log import kept
from ..model import Model
from .analysing import Analysed
from .described import Described, Describing
from .messages import Long, OpenAudio
from .one_track import OneTrack
from .options import AnalysisOptions
from .outcomes import Failure
from .scan import Track
from .worker_main import Clock


@dataclass(frozen=True)
class ModelFile:
    """A model's file, as whoever asks has opened it.

    Attributes
    ----------
    path : str
        Absolute.
    size, changed : int
        Its bytes, and when they were written, in nanoseconds.
    """

    path: str
    size: int
    changed: int

    @classmethod
    def of(cls, model: Model) -> ModelFile:
        """Look at the file of a model.

        Raises
        ------
        OSError
            It is gone.
        """
        path = os.path.abspath(model.path)
        found = os.stat(path)
        return cls(path, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Told:
    """What became of a track, and what was logged meanwhile."""

    outcome: Analysed | Described | Failure | Long
    log: list[logging.LogRecord]


@dataclass(frozen=True)
class NotOpened:
    """The model cannot be opened there: nothing became of the track, nor will of others."""

    reason: str


class WholeWorker:
    """An `Answer`: a track, and a slot for its rows -> what became of it.

    Parameters
    ----------
    model : ModelFile
        Of what analyses.
    options : AnalysisOptions
        What is asked.
    open_audio, hashed
        See `DecodingPool`.
    describing : Describing or None
        What describes tracks here; None sends what was analysed.
    memory : int or None
        Descriptor of the `RowsMemory` that has the slots.
    longest : float or None
        See `Job`.
    log_level : int
        From which on what is logged is sent back.
    """

    def __init__(
        self,
        model: ModelFile,
        options: AnalysisOptions,
        open_audio: OpenAudio,
        *,
        hashed: bool,
        describing: Describing | None,
        memory: int | None,
        longest: float | None,
        log_level: int,
    ) -> None:
        self._model = model
        self._options = options
        self._open_audio = open_audio
        self._hashed = hashed
        self._describing = describing
        self._memory = memory
        self._longest = longest
        self._log_level = log_level
        self._tracks: OneTrack | None = None

    def __call__(
        self, asked: tuple[Track, int | None], connection: Connection, clock: Clock
    ) -> Told | NotOpened:
        """Analyse a track; the clock runs while it is decoded."""
        clock.stop()
        track, slot = asked
        if self._tracks is None:
            try:
                self._tracks = self._open()
            except Exception as error:
                return NotOpened(in_words(error))
        clock.alone()
        with kept(self._log_level) as log:
            outcome: Analysed | Described | Failure | Long = self._tracks.analyse(
                track, clock=clock, longest=self._longest
            )
            if isinstance(outcome, Analysed) and self._describing is not None:
                outcome = self._described(outcome, self._tracks.model, slot)
        return Told(outcome, log)

    def _described(self, analysed: Analysed, model: Model, slot: int | None) -> Described:
        assert self._describing is not None
        described = self._describing(analysed, model, self._options)
        if self._memory is None or slot is None:
            return described
        return described.stored(self._memory, slot)

    def _open(self) -> OneTrack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrainedModelWarning)
            model = Model(self._model.path, num_threads=1)
        if ModelFile.of(model) != self._model:
            raise RuntimeError("it is another file by now")
        return OneTrack(model, self._options, hashed=self._hashed, open_audio=self._open_audio)
