"""A few segments out of a whole file, spread evenly over it."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import AudioFileError, InvalidArgumentError
from .front_end import SAMPLE_RATE
from .hearing import Hearing, Readable, pieces
from .stream import Stream

Samples = npt.NDArray[np.float32]
Outputs = tuple[Samples, ...]

_FRAME = _core.front_end.hop_size
# A frame reaches half its length to both sides of its place. The first that is computed of a part
# has silence before it, and is left out.
_REACH = _core.front_end.frame_size // 2
_LEAD_FRAMES = -(-_REACH // _FRAME)


@dataclass(frozen=True)
class Section:
    """The samples that one segment is computed from.

    Attributes
    ----------
    lead : int
        Frames that come before the segment.
    begin, end : int
        Samples of the track at 16 kHz.
    """

    lead: int
    begin: int
    end: int


@dataclass(frozen=True)
class Spread:
    """Segments spread over a track: `count` of those that the whole track has.

    Attributes
    ----------
    count : int
        How many.
    segment_frames, hop_frames : int
        As the model's `Plan` has them.
    """

    count: int
    segment_frames: int
    hop_frames: int

    @classmethod
    def of(cls, plan: _core.Plan, count: int | None) -> Spread | None:
        """Make one for what a request comes to.

        Parameters
        ----------
        plan : Plan
            See `Model.plan`.
        count : int or None
            How many segments; None is all.

        Returns
        -------
        Spread or None
            None if all are wanted.

        Raises
        ------
        InvalidArgumentError
            Fewer than one is wanted.
        """
        if count is None:
            return None
        if count < 1:
            raise InvalidArgumentError(f"segments is {count}; 1 or more wanted")
        return cls(count, plan.segment_frames, plan.hop_frames)

    def starts(self, samples: int) -> tuple[int, ...] | None:
        """Choose segments.

        Parameters
        ----------
        samples : int
            Length of the track at 16 kHz.

        Returns
        -------
        tuple of int or None
            First frame of each, ascending; None if the track has fewer full segments than wanted:
            the whole of it is.
        """
        spare = samples - _REACH - (self.segment_frames - 1) * _FRAME
        there = spare // (self.hop_frames * _FRAME) + 1 if spare >= 0 else 0
        if there < self.count:
            return None
        # The middles of equal parts.
        return tuple(
            (2 * index + 1) * there // (2 * self.count) * self.hop_frames
            for index in range(self.count)
        )

    def section(self, start: int) -> Section:
        """Tell what a segment is computed from.

        Parameters
        ----------
        start : int
            Its first frame.

        Returns
        -------
        Section
        """
        lead = min(_LEAD_FRAMES, start)
        last = start + self.segment_frames - 1
        return Section(lead, (start - lead) * _FRAME, last * _FRAME + _REACH)


@dataclass(frozen=True)
class Chosen:
    """What of a file will come.

    Attributes
    ----------
    starts : tuple of int or None
        See `Spread.starts`.
    samples : int or None
        Length of the file at 16 kHz; None for the whole of it, whose length is what comes.
    """

    starts: tuple[int, ...] | None
    samples: int | None


class SeekableAudio(Protocol):
    """What is needed of an `AudioFile`."""

    @property
    def seconds(self) -> float | None:
        """Length that it promises, if it does."""

    def read(self, samples: int) -> Samples:
        """Give the next samples, at most so many; none at the end."""

    def seek(self, seconds: float) -> None:
        """Go to a position, exactly."""


def wanted_parts(
    file: SeekableAudio, spread: Spread | None, hearing: Hearing | None = None
) -> Iterator[Chosen | Readable]:
    """Give what is wanted of a file.

    Parameters
    ----------
    file : SeekableAudio
        At its beginning.
    spread : Spread or None
        None is the whole.
    hearing : Hearing, optional
        What is not heard comes as zeros, where it need not be decoded.

    Yields
    ------
    Chosen or Readable
        First what is chosen, then what has the samples of it, to be read to its end before the next
        is asked for: the whole file, or one section after the other. If the file turns out shorter
        than it promises, another choice comes, and what came before does not count.

    Raises
    ------
    AudioFileError
        The file cannot be read, or gives another length each time.
    """
    if spread is None:
        yield Chosen(None, None)
        heard = None if hearing is None else hearing.whole(file)
        if heard is not None:
            yield heard
            if not heard.failed:
                return
            yield Chosen(None, None)
            file.seek(0.0)
        yield file
        return
    samples = _promised(file)
    counted = samples is None
    if samples is None:
        samples = _count(file)
    while (starts := spread.starts(samples)) is not None:
        yield Chosen(starts, samples)
        if (yield from _sections(file, map(spread.section, starts), hearing)):
            return
        if counted:
            raise AudioFileError("the file has another length each time it is read")
        samples, counted = _count(file), True
    yield Chosen(None, None)
    file.seek(0.0)
    yield file


class PartsStream:
    """Segments of a signal of which only sections come, one after the other.

    Parameters
    ----------
    stream : Stream
        Of what is asked; gives tuples.
    sections : sequence of Section
        Each makes one segment.
    """

    def __init__(self, stream: Stream[Outputs], sections: Sequence[Section]) -> None:
        self._stream = stream
        self._sections = list(reversed(sections))
        self._left = 0

    def push(self, samples: Samples) -> Iterator[Outputs]:
        """Take the next samples of the sections.

        Parameters
        ----------
        samples : numpy.ndarray
            float32, shape [samples].

        Yields
        ------
        tuple of numpy.ndarray
            As `Stream.push`.
        """
        while len(samples):
            if self._left == 0:
                section = self._sections.pop()
                self._stream.reset(section.lead)
                self._left = section.end - section.begin
            now, samples = samples[: self._left], samples[self._left :]
            self._left -= len(now)
            yield self._stream.push(now)


def start_seconds(starts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Tell where segments start that begin with some frames."""
    return np.fromiter(map(_core.front_end.frames_to_seconds, starts), np.float64)


def _promised(file: SeekableAudio) -> int | None:
    return None if file.seconds is None else math.floor(file.seconds * SAMPLE_RATE)


def _count(file: SeekableAudio) -> int:
    file.seek(0.0)
    return sum(map(len, pieces(file.read)))


def _sections(
    file: SeekableAudio, sections: Iterator[Section], hearing: Hearing | None
) -> Generator[Readable, None, bool]:
    """Give sections; return False as soon as the file ends before one does."""
    for section in sections:
        begin, end = section.begin, section.end
        first_frame = begin // _FRAME + section.lead
        heard = None if hearing is None else hearing.section(file, first_frame, begin, end)
        if heard is not None:
            part = _Some(heard, end - begin)
            yield part
            if not heard.failed:
                continue
            begin = end - part.left
        file.seek(begin / SAMPLE_RATE)
        rest = _Some(file, end - begin)
        yield rest
        if rest.left:
            return False
    return True


class _Some:
    """So many samples of a file, at the most."""

    def __init__(self, file: Readable, left: int) -> None:
        self._file = file
        self.left = left

    def read(self, samples: int) -> Samples:
        piece = self._file.read(min(samples, self.left))
        self.left -= len(piece)
        return piece
