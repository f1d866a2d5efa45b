"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

from lab.peers.sizes import PATCHOUTS, Size

WHOLE = "F0T0"
FASTEST = "F3T5"


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    size : Size
    patchouts : tuple of str
    threads : tuple of int
    few_tracks, many_tracks : int
        Files without and with patchout: enough for starting up not to matter.
    track_seconds : float
    durations : tuple of float
        Minutes.
    """

    size: Size
    patchouts: tuple[str, ...] = PATCHOUTS
    threads: tuple[int, ...] = (1, 2)
    few_tracks: int = 4
    many_tracks: int = 60
    track_seconds: float = 180.0
    durations: tuple[float, ...] = (1.0, 4.0, 15.0, 60.0)
