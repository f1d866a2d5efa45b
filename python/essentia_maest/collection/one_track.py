"""A track from file to results in the thread that asks: what processes do that do all of it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial

from ..errors import MaestError
from ..hearing import Readable
from ..model import Model
from ..results.audio_hash import audio_hash
from ..spread import Chosen
from .analysing import Analysed
from .analysis import GuardedAnalysis, TrackAnalysis
from .messages import Long, OpenAudio
from .opening import open_track
from .options import AnalysisOptions
from .outcomes import Failure
from .scan import Track
from .track_decoding import decode_into, seconds_allowed
from .worker_main import Clock
from .worker_processes import time_limit


class OneTrack:
    """Analyses one track after the other.

    Results, and failures, are those of `Analysing`. What it has besides, a process apart for each
    decoder, is for whoever calls: a file that crashes its decoder ends this process, and so does
    one that hangs it, by SIGALRM.

    Parameters
    ----------
    model : Model
        Opened with ``num_threads=1``.
    options : AnalysisOptions
        What is asked.
    hashed : bool
        Whether the audio is hashed, too.
    open_audio, limit : callable
        See `DecodingPool`.

    Attributes
    ----------
    model : Model
        The same.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model cannot do what the options ask.
    """

    def __init__(
        self,
        model: Model,
        options: AnalysisOptions,
        *,
        hashed: bool = False,
        open_audio: OpenAudio = open_track,
        limit: Callable[[str], float] = time_limit,
    ) -> None:
        plan = model.plan(options.request)
        self._spread = options.spread(plan)
        self._hearing = model.hearing(plan, options.mp3_error)
        self.model = model
        self._options = options
        self._hashed = hashed
        self._open_audio = open_audio
        self._limit = limit

    def analyse(
        self, track: Track, *, clock: Clock | None = None, longest: float | None = None
    ) -> Analysed | Failure | Long:
        """Analyse a track.

        Parameters
        ----------
        track : Track
            Which.
        clock : Clock, optional
            Runs while the track is decoded; None makes one.
        longest : float, optional
            See `Job`.

        Returns
        -------
        Analysed, Failure or Long
        """
        started = time.thread_time()
        if clock is None:
            clock = Clock(seconds_allowed(track, self._limit))
        outlet = _Heard(partial(TrackAnalysis, self.model, self._options, 1), clock)
        try:
            source = self._open_audio(track.path)
            try:
                if longest is not None and (source.seconds or 0.0) >= longest:
                    return Long()
                facts = decode_into(outlet, source, self._spread, self._hearing)
                if self._hashed:
                    facts = dataclasses.replace(facts, audio_hash=audio_hash(source.path))
            finally:
                source.close()
        except MaestError as error:
            return Failure.of(track.path, "decode", error)
        except Exception as error:
            return Failure(track.path, "decode", f"{type(error).__name__}: {error}")
        finally:
            clock.stop()
        decoding = time.thread_time() - started - outlet.seconds
        try:
            analysis = outlet.analysis.finish()
        except Exception as error:
            return Failure.of(track.path, "analyze", error)
        seconds = outlet.analysis.seconds
        seconds.decode = decoding
        return Analysed(track, analysis, facts, seconds)


class _Heard:
    """Where the samples go: they are heard at once."""

    def __init__(self, make: Callable[..., TrackAnalysis], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self.analysis = GuardedAnalysis(make)
        self.written = 0
        self.peak = 0.0
        self.seconds = 0.0
        self._began = 0.0

    def choose(self, chosen: Chosen) -> None:
        if chosen.starts is not None:
            self.analysis = GuardedAnalysis(partial(self._make, chosen.starts))

    def start_over(self) -> None:
        self.analysis = GuardedAnalysis(self._make)
        self.written = 0
        self.peak = 0.0

    def hear(self, part: Readable) -> None:
        read = self.analysis.hear(part, self._turn)
        self.peak = max(self.peak, read.peak)
        self.written += read.samples

    def _turn(self, computing: bool) -> None:
        if computing:
            self._clock.stop()  # it is for the decoder
            self._began = time.thread_time()
        else:
            self.seconds += time.thread_time() - self._began
            self._clock.start()
