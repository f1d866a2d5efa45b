"""Read files with libsndfile, block by block: what Essentia cannot decode, such as Opus."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..errors import DecodeError

_FRAMES_PER_READ = 1 << 16


@contextlib.contextmanager
def libsndfile_errors() -> Iterator[None]:
    """Turn what libsndfile and resampling raise into `DecodeError`."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError, OSError) as error:
        text = getattr(error, "error_string", None) or str(error)
        raise DecodeError("libsndfile cannot decode it: " + text.strip().rstrip(".!")) from error


def libsndfile_blocks(file: str) -> tuple[int, Iterator[npt.NDArray[np.float32]]]:
    """Open a file with libsndfile.

    Parameters
    ----------
    file : str
        Absolute path.

    Returns
    -------
    rate : int
        Its sample rate, in Hz.
    blocks : iterator of numpy.ndarray
        Its samples, all channels averaged, float32.
    """
    import soundfile

    source = soundfile.SoundFile(os.fsencode(file))

    def blocks() -> Iterator[npt.NDArray[np.float32]]:
        with source:
            while (block := source.read(_FRAMES_PER_READ, dtype="float32", always_2d=True)).size:
                yield _mix(block)

    return source.samplerate, blocks()


def _mix(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if block.shape[1] <= 2:
        # float32 sum, then half of it: MonoMixer's arithmetic.
        total: npt.NDArray[np.float32] = block.sum(axis=1, dtype=np.float32)
        return total if block.shape[1] == 1 else total * np.float32(0.5)
    mean: npt.NDArray[np.float32] = block.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean
