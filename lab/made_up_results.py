"""Results without analysis: workers that answer at once, so that what takes them is measured."""

from __future__ import annotations

import hashlib
from functools import cached_property
from multiprocessing.connection import Connection

import numpy as np

from essentia_maest.collection.analysing import Analysed
from essentia_maest.collection.analysis import Analysis
from essentia_maest.collection.messages import Facts
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import StageSeconds
from essentia_maest.collection.scan import Track
from essentia_maest.collection.whole_worker import NotOpened, Told, WholeWorker
from essentia_maest.collection.worker_main import Clock
from essentia_maest.model import Model
from essentia_maest.opened_model import Array

SECONDS = 240.0


class MadeUp:
    """Results of tracks of four minutes, of a model's shapes.

    Parameters
    ----------
    model : Model
        Which.
    options : AnalysisOptions
        What is asked.
    """

    def __init__(self, model: Model, options: AnalysisOptions) -> None:
        plan = model.plan(options.request)
        self.model = model
        self._shapes = dict(zip(options.request.outputs, plan.output_shapes, strict=True))
        self._segment_seconds = model.segment_seconds
        self._random = np.random.default_rng(0)

    def analysed(self, track: Track) -> Analysed:
        """Make up the results of a track."""
        starts = np.arange(0.0, SECONDS - 1.0, self._segment_seconds)
        arrays: dict[str, Array] = {
            name: self._random.random((len(starts), *shape), np.float32)
            for name, shape in self._shapes.items()
        }
        digest = hashlib.sha256(track.path.encode()).hexdigest()[:32]
        samples = round(SECONDS * 16000)
        facts = Facts("none", "flac", "flac", samples, None, 1.0, audio_hash=digest)
        analysis = Analysis(arrays, starts, self._segment_seconds)
        return Analysed(track, analysis, facts, StageSeconds())


class AnsweringWorker(WholeWorker):
    """A process for whole tracks that opens its model, and looks at no track."""

    @cached_property
    def _made_up(self) -> MadeUp:
        return MadeUp(self._open().model, self._options)

    def __call__(
        self, asked: tuple[Track, int | None], connection: Connection, clock: Clock
    ) -> Told | NotOpened:
        """Give results of a track, described as it is asked for."""
        clock.stop()
        track, slot = asked
        analysed = self._made_up.analysed(track)
        return Told(self._described(analysed, self._made_up.model, slot), [])
