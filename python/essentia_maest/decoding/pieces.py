"""The samples of `load_audio`, bit for bit, sent piece by piece while they are decoded."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .audio_file import AudioFile

# Of files that do not tell their length: 64 kbit/s, less than music commonly has.
_USUAL_BYTES_PER_SECOND = 8_000
# Whatever a file tells: 96 kHz, 24 bits, two channels, more than music commonly has.
_MOST_BYTES_PER_SECOND = 576_000


class Outlet(Protocol):
    """Where pieces go."""

    def essentia_done(self) -> None:
        """Close what is not written to."""

    def send(self, samples: npt.NDArray[np.float32]) -> None:
        """Take a piece, float32, shape [samples]."""


def write_pieces(path: str, outlet: Outlet) -> None:
    """Decode a file, in memory that does not grow with its length.

    Parameters
    ----------
    path : str
        See `essentia_maest.load_audio`.
    outlet : Outlet
        Where samples go.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        As `essentia_maest.load_audio`; what was written does not count.
    """
    outlet.essentia_done()
    with AudioFile(path) as file:
        for piece in file:
            outlet.send(piece)


def estimated_seconds(path: str) -> float:
    """Tell how long a file is without decoding it.

    Parameters
    ----------
    path : str
        See `essentia_maest.load_audio`.

    Returns
    -------
    float
        What the file says, if it does, and not less than its size makes likely; in seconds.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        See `essentia_maest.load_audio`.
    """
    with AudioFile(path) as file:
        told = file.seconds
    size = os.path.getsize(path)
    if not told:
        told = size / _USUAL_BYTES_PER_SECOND
    return max(told, size / _MOST_BYTES_PER_SECOND)
