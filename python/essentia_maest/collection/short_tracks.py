"""What runs in a worker process for each track: it is decoded whole, unless it is long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..decoding.pieces import estimated_seconds
from ..log import kept

DecodeFunction = Callable[[str], npt.NDArray[np.float32]]

LONG_SECONDS = 1200.0
"""Length from which a track is not decoded whole: 77 MB of samples."""


@dataclass(frozen=True)
class WholeTrack:
    """A track's samples, or that it is long.

    Attributes
    ----------
    samples : numpy.ndarray or None
        float32, shape [samples], mono at 16 kHz; None for a long track.
    seconds : float
        That this took.
    log : list of logging.LogRecord
        What was logged meanwhile.
    """

    samples: npt.NDArray[np.float32] | None
    seconds: float
    log: list[logging.LogRecord]


def load_unless_long(
    path: str, *, decode: DecodeFunction, longest: float, log_level: int
) -> WholeTrack:
    """Decode a track unless it is long.

    Parameters
    ----------
    path : str
        The track.
    decode : callable
        How.
    longest : float
        Seconds that count as long.
    log_level : int
        From which on what is logged is kept.

    Returns
    -------
    WholeTrack

    Raises
    ------
    essentia_maest.errors.AudioFileError
        As `essentia_maest.load_audio`.
    """
    started = time.perf_counter()
    with kept(log_level) as log:
        samples = None if estimated_seconds(path) >= longest else decode(path)
    return WholeTrack(samples, time.perf_counter() - started, log)
