"""Essentia's ``Resample`` for a signal that comes in blocks."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..essentia_algorithms import quiet_essentia
from ..front_end import SAMPLE_RATE

RESAMPLE_QUALITY = 4
"""Essentia's ``resampleQuality`` that the public MAEST models are used with (linear)."""

_ROOM = 64  # output samples beside those that the ratio tells


class _Data(ctypes.Structure):
    """libsamplerate's ``SRC_DATA``."""

    _fields_ = (
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("input_frames", ctypes.c_long),
        ("output_frames", ctypes.c_long),
        ("input_frames_used", ctypes.c_long),
        ("output_frames_gen", ctypes.c_long),
        ("end_of_input", ctypes.c_int),
        ("src_ratio", ctypes.c_double),
    )


def resample_whole(signal: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """Resample to 16 kHz with Essentia's ``Resample``.

    Parameters
    ----------
    signal : numpy.ndarray
        float32, shape [samples].
    rate : int
        Its sample rate, in Hz.

    Returns
    -------
    numpy.ndarray
        float32, shape [samples].

    Raises
    ------
    RuntimeError
        There is no resampling from this rate.
    """
    with quiet_essentia() as essentia:
        resampler = essentia.Algorithm("Resample")
        resampler.__configure__(
            inputSampleRate=float(rate),
            outputSampleRate=float(SAMPLE_RATE),
            quality=RESAMPLE_QUALITY,
        )
        return np.asarray(resampler.__compute__(signal), dtype=np.float32)


def resample_blocks(
    blocks: Iterable[npt.NDArray[np.float32]], rate: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Resample to 16 kHz what Essentia would have to have whole.

    Bit for bit what ``Resample(resampleQuality=4)`` gives for all blocks at once: it is the same
    libsamplerate, the one inside Essentia, called as often as there are blocks. In an Essentia
    that does not export it, the blocks are put together and resampled at once.

    Parameters
    ----------
    blocks : iterable of numpy.ndarray
        float32, shape [samples] each; the first of several has more than one sample.
    rate : int
        Their sample rate, in Hz.

    Yields
    ------
    numpy.ndarray
        float32, shape [samples].

    Raises
    ------
    RuntimeError
        There is no resampling from this rate.
    """
    resample_whole(np.zeros(2, dtype=np.float32), rate)  # refuses what it cannot do
    if rate == SAMPLE_RATE:
        yield from blocks
        return
    library = _libsamplerate()
    if library is None:
        signal = np.concatenate([np.zeros(0, dtype=np.float32), *blocks])
        yield resample_whole(signal, rate)
        return
    state = library.src_new(RESAMPLE_QUALITY, 1, ctypes.byref(ctypes.c_int()))
    if not state:
        raise RuntimeError("libsamplerate has no memory")
    try:
        # Essentia's ratio is a float.
        ratio = float(np.float32(SAMPLE_RATE) / np.float32(rate))
        for block, last in _marking_the_last(blocks):
            yield from _resample(library, state, block, ratio, last)
    finally:
        library.src_delete(state)


def _resample(
    library: Any, state: int, block: npt.NDArray[np.float32], ratio: float, last: bool
) -> Iterator[npt.NDArray[np.float32]]:
    block = np.ascontiguousarray(block)
    while True:
        out = np.empty(int(len(block) * ratio) + _ROOM, dtype=np.float32)
        data = _Data(
            data_in=block.ctypes.data,
            data_out=out.ctypes.data,
            input_frames=len(block),
            output_frames=len(out),
            end_of_input=last,
            src_ratio=ratio,
        )
        code = library.src_process(state, ctypes.byref(data))
        if code:
            raise RuntimeError(f"libsamplerate gives error {code}")
        if data.output_frames_gen:
            yield out[: data.output_frames_gen]
        block = block[data.input_frames_used :]
        if not (data.output_frames_gen or data.input_frames_used):
            return


def _marking_the_last(
    blocks: Iterable[npt.NDArray[np.float32]],
) -> Iterator[tuple[npt.NDArray[np.float32], bool]]:
    before = None
    for block in blocks:
        if before is not None:
            yield before, False
        before = block
    if before is not None:
        yield before, True


def _libsamplerate() -> Any:
    """Return the libsamplerate that Essentia's wheel carries, or None."""
    import essentia._essentia

    library = ctypes.CDLL(essentia._essentia.__file__)
    try:
        library.src_new.restype = ctypes.c_void_p
        library.src_new.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        library.src_process.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        library.src_delete.argtypes = (ctypes.c_void_p,)
    except AttributeError:
        return None
    return library
