"""What every entry point demands of audio that is handed over as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import InvalidArgumentError
from .front_end import SAMPLE_RATE

_WANTED = "a 1-D float32 array of mono samples is wanted"


def as_samples(audio: npt.ArrayLike, sample_rate: float = SAMPLE_RATE) -> npt.NDArray[np.float32]:
    """Return `audio` at 16 kHz as contiguous float32, or say what is wrong with it.

    Parameters
    ----------
    audio : array_like, shape [samples]
        Mono samples, float32 or float64 (converted).
    sample_rate : float, default 16000
        Their rate, a whole number of Hz; another than 16 kHz is resampled as by Essentia's
        ``Resample(quality=4)``.

    Returns
    -------
    numpy.ndarray, shape [samples], float32

    Raises
    ------
    InvalidArgumentError
        For another number of dimensions or another type; the message names both. For a rate that
        there is no resampling from. Samples that are not finite are found by the engine, or here
        if they are resampled.
    """
    try:
        array = np.asarray(audio)
    except ValueError as error:
        raise InvalidArgumentError(f"audio is not an array ({error}); {_WANTED}") from error
    if array.ndim != 1 or array.dtype not in (np.float32, np.float64):
        raise InvalidArgumentError(f"{_found(array)}; {_WANTED}")
    samples = np.ascontiguousarray(array, dtype=np.float32)
    return samples if sample_rate == SAMPLE_RATE else _resampled(samples, sample_rate)


def _found(array: npt.NDArray[Any]) -> str:
    """Say what was given, and what makes samples of it."""
    advice = ""
    if array.dtype.kind in "iu":
        advice = _scaling(array.dtype)
    elif array.ndim == 2 and array.dtype in (np.float32, np.float64):
        advice = " (several channels: average them first)"
    return f"audio has shape {list(array.shape)} and dtype {array.dtype}{advice}"


def _resampled(samples: npt.NDArray[np.float32], sample_rate: float) -> npt.NDArray[np.float32]:
    if isinstance(sample_rate, float) and sample_rate.is_integer():
        sample_rate = int(sample_rate)
    resampler = _core.Resampler(sample_rate)  # type: ignore[arg-type]  # which it refuses
    # As the engine would name it, but by the number that the caller knows.
    finite = np.isfinite(samples)
    if not finite.all():
        index = int(np.argmin(finite))
        raise InvalidArgumentError(f"sample {index} is {samples[index]}; finite samples are wanted")
    return resampler.push(samples)


def _scaling(dtype: np.dtype[Any]) -> str:
    """Say how integer samples become floating point ones."""
    if dtype.itemsize > 4:  # no sample format
        return ""
    half = 1 << (8 * dtype.itemsize - 1)
    if dtype.kind == "u":
        return f" (unsigned integer samples: subtract {half}, then divide by {half}, as float32)"
    return f" (integer samples: divide by {half}, as float32)"
