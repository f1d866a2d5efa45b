"""A track as its results are kept: what is left of it once it was described."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from ..model import Model
from . import sinks
from .analysing import Analysed
from .flags import flags_of, why_failed
from .options import AnalysisOptions
from .outcomes import Failure, StageSeconds

Describe = Callable[[sinks.Analysed, Model, AnalysisOptions], Any]
"""Makes of a track what `ResultSink.track` takes."""


@dataclasses.dataclass(frozen=True)
class Described:
    """A track, described.

    Attributes
    ----------
    path : str
        Which.
    rows
        What `ResultSink.track` takes: `PackedRows`, where it comes from another process. None where
        there is a failure.
    samples : int
        How long the track is, at 16 kHz.
    flags : dict
        What is remarkable about it.
    seconds : StageSeconds
        What it took, but for writing.
    failure : Failure or None
        Why nothing is written.
    """

    path: str
    rows: Any
    samples: int
    flags: dict[str, Any]
    seconds: StageSeconds
    failure: Failure | None = None

    def stored(self, descriptor: int, slot: int) -> Described:
        """Give it with its rows in a slot of a `RowsMemory`, if that is worth it."""
        if self.rows is None:
            return self
        return dataclasses.replace(self, rows=self.rows.stored(descriptor, slot))

    @property
    def slot(self) -> int | None:
        """Where its rows are; None if they are here, or there are none."""
        return None if self.rows is None else self.rows.slot

    def computed_by(self, provenance: dict[str, Any] | None) -> Described:
        """Give it with what computed it, where that is not what the run tells."""
        if provenance is None or self.rows is None:
            return self
        return dataclasses.replace(self, rows=self.rows.computed_by(provenance))


@dataclasses.dataclass(frozen=True)
class Describing:
    """Describes tracks.

    Attributes
    ----------
    describe : callable
        See `Describe`.
    strict : bool
        Truncated and damaged files fail.
    """

    describe: Describe
    strict: bool = False

    def __call__(self, analysed: Analysed, model: Model, options: AnalysisOptions) -> Described:
        """Describe a track.

        Parameters
        ----------
        analysed : Analysed
            The track.
        model, options
            What analysed it, and how.

        Returns
        -------
        Described
        """
        track, facts, seconds = analysed.track, analysed.facts, analysed.seconds
        flags = flags_of(facts)
        if self.strict and (reason := why_failed(flags)) is not None:
            failure = Failure(track.path, "decode", reason)
            return Described(track.path, None, facts.samples, flags, seconds, failure)
        told = sinks.Analysed(track, facts, analysed.analysis, flags, seconds, analysed.provenance)
        try:
            rows = self.describe(told, model, options)
        except Exception as error:
            failure = Failure.of(track.path, "analyze", error)
            return Described(track.path, None, facts.samples, {}, seconds, failure)
        return Described(track.path, rows, facts.samples, flags, seconds)
