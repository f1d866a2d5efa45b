"""A track whose samples arrive from a worker process."""

from __future__ import annotations

from collections.abc import Sequence

from .messages import Long, Over, Written
from .scan import Track
from .shared_memory import Samples, ring_parts


class Arriving:
    """The samples of a track: those that have come, and were not heard yet.

    Parameters
    ----------
    track : Track
        Which.
    window : int
        Number of the memory that its samples come through.
    ring : numpy.ndarray or None
        That memory, if there is any; otherwise samples come in messages.

    Attributes
    ----------
    written, heard : int
        Samples since the beginning of the track.
    starts : tuple of int or None
        Which segments the samples are of; None is the whole track.
    over : Over, Long or None
        How decoding ended, once it has.
    start_over : bool
        What was heard does not count.
    worker_waits : float or None
        Seconds that its worker has left, if it waits for samples to be heard.
    """

    def __init__(self, track: Track, window: int, ring: Samples | None) -> None:
        self.track = track
        self.window = window
        self.written = 0
        self.heard = 0
        self.starts: tuple[int, ...] | None = None
        self.over: Over | Long | None = None
        self.start_over = False
        self.worker_waits: float | None = None
        self._ring = ring
        self._sent: list[Samples] = []

    def add(self, message: Written) -> None:
        """Take a message."""
        self.written = message.samples
        if message.sent is not None:
            self._sent.append(message.sent)

    @property
    def decode_seconds(self) -> float:
        """CPU time that decoding took, once it has ended."""
        return self.over.seconds if isinstance(self.over, Over) else 0.0

    def parts(self, most: int) -> tuple[int, Sequence[Samples]]:
        """Give what has come and was not heard.

        Parameters
        ----------
        most : int
            Samples, about.

        Returns
        -------
        written : int
            What `heard` is to be, when these are.
        parts : sequence of numpy.ndarray
            float32, shape [samples] each, none empty. Views: used up before `heard` is told.
        """
        if self._ring is None:
            sent, self._sent = self._sent, []
            return self.written, sent
        end = min(self.written, self.heard + most)
        return end, ring_parts(self._ring, self.heard, end)

    def begin_again(self) -> None:
        """Forget the samples so far, as was asked."""
        self.start_over = False
        self.starts = None
        self.written = self.heard = 0
        self._sent.clear()

    def forget(self) -> None:
        """Let go of all samples."""
        self._ring = None
        self._sent.clear()
