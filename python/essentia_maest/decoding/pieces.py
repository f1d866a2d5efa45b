"""The samples of `load_audio`, bit for bit, written piece by piece while they are decoded.

Essentia decodes without giving other Python threads a turn: whoever takes the pieces has to be
another process.
"""

from __future__ import annotations

import os
import tempfile
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..errors import DecodeError
from ..essentia_algorithms import quiet_essentia
from .audio import (
    checked_file,
    configure_loader,
    essentia_name,
    essentia_reason,
    first_that_decodes,
)
from .libsndfile import libsndfile_blocks, libsndfile_errors
from .resampling import resample_blocks

# Of files that do not tell their length: 64 kbit/s, less than music commonly has.
_USUAL_BYTES_PER_SECOND = 8_000
# Whatever a file tells: 96 kHz, 24 bits, two channels, more than music commonly has.
_MOST_BYTES_PER_SECOND = 576_000


class Outlet(Protocol):
    """Where pieces go."""

    essentia_file: str
    """What Essentia is to write samples to, as float32 in the machine's byte order."""

    def essentia_done(self) -> None:
        """Close that file; what it got counts unless there is a `send`."""

    def send(self, samples: npt.NDArray[np.float32]) -> None:
        """Take a piece, float32, shape [samples]."""


def write_pieces(path: str, outlet: Outlet) -> None:
    """Decode a file, in memory that does not grow with its length.

    Parameters
    ----------
    path : str
        See `essentia_maest.load_audio`.
    outlet : Outlet
        Where samples go. If Essentia gives up halfway and libsndfile can decode the file, only
        what is sent counts, from the beginning of the file.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        As `essentia_maest.load_audio`; what was written does not count.
    """

    def with_essentia(file: str) -> int:
        try:
            return _write_with_essentia(file, outlet.essentia_file)
        finally:
            outlet.essentia_done()

    def with_libsndfile(file: str) -> int:
        samples = 0
        with libsndfile_errors():
            rate, blocks = libsndfile_blocks(file)
            for piece in resample_blocks(blocks, rate):
                outlet.send(piece)
                samples += len(piece)
        return samples

    first_that_decodes(path, with_essentia, with_libsndfile, int)


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
        The file is missing, not a regular file, empty or unreadable.
    """
    file, _ = checked_file(path)
    size = os.path.getsize(file)
    with quiet_essentia() as essentia, tempfile.TemporaryDirectory(prefix="maest-") as folder:
        reader = essentia.Algorithm("MetadataReader")
        try:
            reader.__configure__(filename=essentia_name(file, folder), failOnError=True)
            told = float(reader.__compute__()[8])  # duration
        except RuntimeError:
            told = 0.0
    if told <= 0:
        told = size / _USUAL_BYTES_PER_SECOND
    return max(told, size / _MOST_BYTES_PER_SECOND)


def _write_with_essentia(file: str, target: str) -> int:
    with tempfile.TemporaryDirectory(prefix="maest-") as folder:
        try:
            samples, reason = _run_network(file, target, folder), None
        except RuntimeError as error:
            samples, reason = 0, essentia_reason(error)
    if reason is not None:
        raise DecodeError(reason)
    return samples


def _run_network(file: str, target: str, folder: str) -> int:
    with quiet_essentia() as essentia:
        loader = essentia.StreamingAlgorithm("MonoLoader")
        configure_loader(loader.__configure__, file, folder)
        sink = essentia.StreamingAlgorithm("FileOutput")
        try:
            sink.__configure__(filename=target, mode="binary")
            essentia.fileOutputConnect(loader, "audio", sink)
            essentia.run(loader)
            return int(essentia.totalProduced(loader, "audio"))
        finally:
            # Its last samples are written, and its file closed, when it is destroyed; Essentia
            # crashes if the loader is destroyed before it.
            del sink
