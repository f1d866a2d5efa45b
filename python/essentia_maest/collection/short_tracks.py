"""Tell short tracks from long ones, in the process that decodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..decoding.pieces import estimated_seconds
from .decode import DecodeFunction

LONG_SECONDS = 1200.0
"""Length from which a track is not decoded whole: 77 MB of samples."""


def load_unless_long(
    path: str, *, decode: DecodeFunction, longest: float
) -> npt.NDArray[np.float32] | None:
    """Decode a track unless it is long.

    Parameters
    ----------
    path : str
        The track.
    decode : callable
        How.
    longest : float
        Seconds that count as long.

    Returns
    -------
    numpy.ndarray or None
        What `decode` gives; None for a long track.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        As `essentia_maest.load_audio`.
    """
    return None if estimated_seconds(path) >= longest else decode(path)
