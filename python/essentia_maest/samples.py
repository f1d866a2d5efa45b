"""What every entry point demands of audio that is handed over as an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgumentError
from .front_end import SAMPLE_RATE

_WANTED = f"a 1-D float32 array of mono samples at {SAMPLE_RATE} Hz is wanted"


def as_samples(audio: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return `audio` as contiguous float32, or say what is wrong with it.

    Parameters
    ----------
    audio : array_like, shape [samples]
        Mono samples at 16 kHz, float32 or float64 (converted).

    Returns
    -------
    numpy.ndarray, shape [samples], float32

    Raises
    ------
    InvalidArgumentError
        For another number of dimensions or another type; the message names both. Samples that are
        not finite are found by the engine.
    """
    try:
        array = np.asarray(audio)
    except ValueError as error:
        raise InvalidArgumentError(f"audio is not an array ({error}); {_WANTED}") from error
    found = f"audio has shape {list(array.shape)} and dtype {array.dtype}"
    if array.dtype.kind in "iu":
        raise InvalidArgumentError(f"{found}{_scaling(array.dtype)}; {_WANTED}")
    if array.dtype not in (np.float32, np.float64):
        raise InvalidArgumentError(f"{found}; {_WANTED}")
    if array.ndim != 1:
        advice = " (several channels: average them first)" if array.ndim == 2 else ""
        raise InvalidArgumentError(f"{found}{advice}; {_WANTED}")
    return np.ascontiguousarray(array, dtype=np.float32)


def _scaling(dtype: np.dtype[Any]) -> str:
    """Say how integer samples become floating point ones."""
    if dtype.itemsize > 4:  # no sample format
        return ""
    half = 1 << (8 * dtype.itemsize - 1)
    if dtype.kind == "u":
        return f" (unsigned integer samples: subtract {half}, then divide by {half}, as float32)"
    return f" (integer samples: divide by {half}, as float32)"
