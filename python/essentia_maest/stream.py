"""A signal that comes in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy.typing as npt

from . import _core
from .samples import as_samples

Results = TypeVar("Results")


class Stream(Generic[Results]):
    """Results of completed segments while samples arrive; made by `Model.stream`.

    Memory does not grow with the signal: a segment's frames are held, and no more. Pieces of any
    size give, bit for bit, what one call on the whole signal gives. A stream may be used from
    several threads, its calls queue; give each signal a stream of its own.

    Parameters
    ----------
    engine : _core.Stream
        The engine's stream.
    single : bool
        Give the one output's array rather than a tuple of arrays.
    """

    def __init__(self, engine: _core.Stream, *, single: bool) -> None:
        self._engine = engine
        self._single = single

    @property
    def plan(self) -> _core.Plan:
        """What was asked, and what it comes to: hop, segment length, shapes, starts."""
        return self._engine.plan

    @property
    def seconds(self) -> tuple[float, float]:
        """Seconds that the front end and the model took so far, threads added up."""
        return self._engine.seconds

    def push(self, samples: npt.ArrayLike) -> Results:
        """Take the next samples.

        Parameters
        ----------
        samples : array_like, shape [samples]
            Mono samples at 16 kHz.

        Returns
        -------
        numpy.ndarray, shape [n, ...], float32
            The results of the n segments that these samples complete, possibly none. A tuple of
            such arrays where several outputs were asked for, in their order.

        Raises
        ------
        InvalidArgumentError
            For another shape or type or a sample that is not finite, with nothing consumed; and
            after `finish`.
        StreamStoppedError
            `stop` ended this call, or was called since the signal began.
        """
        return self._given(self._engine.push(as_samples(samples)))

    def finish(self) -> Results:
        """End the signal.

        Returns
        -------
        numpy.ndarray, shape [n, ...], float32
            The results of the last segments, the one that `tail` makes included; a tuple where
            several outputs were asked for.

        Raises
        ------
        InvalidArgumentError
            If the whole signal was too short for one segment under this `tail`, and if called
            again without `reset`.
        StreamStoppedError
            See `push`.
        """
        return self._given(self._engine.finish())

    def stop(self) -> None:
        """End, from another thread, the call that is computing; refuse further ones until `reset`.

        The call ends when the operator of the model that is being computed does, in a moment as a
        rule, and raises `StreamStoppedError`. So can a time limit be put on a model that is not
        trusted. In the main thread Ctrl-C, and whatever else a signal's handler raises, ends a call
        in the same way.
        """
        self._engine.stop()

    def reset(self, lead_frames: int = 0) -> None:
        """Make ready for a new signal; the model stays loaded.

        Parameters
        ----------
        lead_frames : int, default 0
            The first so many frames belong to no segment. A part of a longer signal that begins
            256 samples before a segment does, with one such frame, gives that segment as the whole
            signal does, bit for bit.

        Raises
        ------
        InvalidArgumentError
            Fewer than 0.
        """
        self._engine.reset(lead_frames)

    def _given(self, outputs: tuple[npt.NDArray, ...]) -> Results:  # type: ignore[type-arg]
        return outputs[0] if self._single else outputs  # type: ignore[return-value]


def push_file(
    stream: Stream[Results],
    file: _core.AudioFile | _core.HeardFile,
    turn: Callable[[bool], object],
) -> tuple[Results, int, float]:
    """Push what is left of a file that the engine reads, without a sample in Python.

    Parameters
    ----------
    stream : Stream
        What takes the samples.
    file : _core.AudioFile or _core.HeardFile
        What has them.
    turn : callable
        Called with True before samples are computed, with False before others are decoded; not
        after an error while computing.

    Returns
    -------
    results
        As `Stream.push`.
    samples : int
        How many there were.
    peak : float
        Largest absolute value of one.

    Raises
    ------
    AudioFileError
        The file cannot be decoded.
    InvalidArgumentError, StreamStoppedError
        As `Stream.push`.
    """
    outputs, samples, peak = stream._engine.push_file(file, turn)
    return stream._given(outputs), samples, peak
