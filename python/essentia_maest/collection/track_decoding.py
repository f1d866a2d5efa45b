"""A file, whole or in parts, into something that takes its samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..hearing import Hearing, Readable, pieces
from ..spread import Chosen, Spread, wanted_parts
from .flags import SILENT_BELOW
from .messages import AudioSource, Facts
from .scan import Track

# Files behind URLs are brought first.
_BRING_SECONDS_PER_MB = 20.0


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read of a track.

    Attributes
    ----------
    samples : int
        How many.
    peak : float
        Largest absolute value of one.
    """

    samples: int = 0
    peak: float = 0.0

    def and_piece(self, samples: npt.NDArray[np.float32]) -> Read:
        """Count a piece, too."""
        return Read(self.samples + len(samples), max(self.peak, peak_of(samples)))


def peak_of(samples: npt.NDArray[np.float32]) -> float:
    """Give the largest absolute value of samples; 0 of none."""
    return max(float(samples.max()), -float(samples.min())) if len(samples) else 0.0


class Outlet(Protocol):
    """Where the samples of one file go.

    Attributes
    ----------
    written : int
        Samples that count.
    peak : float
        Largest absolute value of one.
    """

    written: int
    peak: float

    def choose(self, chosen: Chosen) -> None:
        """Learn what will come."""

    def start_over(self) -> None:
        """Learn that what was written does not count."""

    def hear(self, part: Readable) -> None:
        """Read samples to their end, and take them."""


def decode_into(
    outlet: Outlet, source: AudioSource, spread: Spread | None, hearing: Hearing | None
) -> Facts:
    """Decode a file, as far as it is wanted.

    Parameters
    ----------
    outlet : Outlet
        What takes its samples.
    source : AudioSource
        The file, at its beginning.
    spread, hearing
        See `wanted_parts`.

    Returns
    -------
    Facts
        Without a hash.

    Raises
    ------
    essentia_maest.errors.MaestError
        It cannot be decoded.
    """
    chosen = None
    for part in wanted_parts(source, spread, hearing):
        if isinstance(part, Chosen):
            if chosen is not None:
                outlet.start_over()
            chosen = part
            outlet.choose(chosen)
        else:
            outlet.hear(part)
    assert chosen is not None  # it comes first
    peak = outlet.peak
    if peak < SILENT_BELOW and (chosen.starts is not None or hearing is not None):
        peak = max(peak, _peak_of_all(source))
    return Facts(
        source.decoder,
        source.container,
        source.codec,
        outlet.written if chosen.samples is None else chosen.samples,
        chosen.starts,
        peak,
        source.ending or "unknown",
        source.seconds,
        source.damage or None,
    )


def seconds_allowed(track: Track, limit: Callable[[str], float]) -> float:
    """Tell how long a track may take to be decoded, and to be brought here before.

    Parameters
    ----------
    track : Track
        Which.
    limit : callable
        Path of a file -> seconds that decoding may take.

    Returns
    -------
    float
        Seconds.
    """
    seconds = limit(track.path)
    if track.listed is not None and track.listed.size:
        seconds += _BRING_SECONDS_PER_MB * track.listed.size / 1e6
    return seconds


def _peak_of_all(source: AudioSource) -> float:
    """Look at everything: what was left out of a track that seems silent may be loud."""
    source.seek(0.0)
    return max(map(peak_of, pieces(source.read)), default=0.0)
