"""The sound in every file: a piece of real music, different in each channel."""

from __future__ import annotations

from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from essentia_maest.example import example_audio

SECONDS = 2.5
"""Length of a file, unless its recipe says another or joins several."""

QUIET = 10 ** (-60 / 20)
"""Factor of the quiet variants: what is guessed from bytes is guessed otherwise there."""

_CHANNELS_APART = 1.7  # seconds of the clip between what two channels play
_START = 4.0  # the clip is in full swing
_PEAK = 0.9


@cache
def _clip() -> tuple[NDArray[np.float64], int]:
    samples, rate = soundfile.read(example_audio(), always_2d=True)
    return samples.mean(axis=1), rate


@cache
def signal(
    rate: int, channels: int, quiet: bool = False, seconds: float = SECONDS
) -> NDArray[np.float32]:
    """Make the sound of a file.

    Parameters
    ----------
    rate : int
        In Hz.
    channels : int
    quiet : bool
        60 dB less.
    seconds : float
        Length.

    Returns
    -------
    float32 [frames, channels]
        Band-limited; each channel plays another part of the clip, the later ones softer.
    """
    clip, clip_rate = _clip()
    parts = []
    for channel in range(channels):
        begin = round((_START + channel * _CHANNELS_APART) * clip_rate)
        part = clip[begin : begin + round(seconds * clip_rate)]
        parts.append(_resampled(part, round(seconds * rate)) * 0.8**channel)
    sound = np.stack(parts, axis=1)
    sound *= _PEAK / np.abs(sound).max()
    return (sound * (QUIET if quiet else 1)).astype(np.float32)


def _resampled(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Resample as a whole, by its spectrum."""
    spectrum = np.fft.rfft(samples)
    wanted = np.zeros(length // 2 + 1, dtype=np.complex128)
    both = min(len(spectrum), len(wanted))
    wanted[:both] = spectrum[:both]
    return np.fft.irfft(wanted, length) * (length / len(samples))
