"""A few segments out of a whole track, spread evenly over it."""

from __future__ import annotations

from dataclasses import dataclass

from .. import _core

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
