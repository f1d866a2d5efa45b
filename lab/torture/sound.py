"""Sound for the files that are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def music(seconds: float, sample_rate: int, channels: int, seed: int) -> npt.NDArray[Any]:
    """Make a few decaying notes over soft noise.

    Parameters
    ----------
    seconds : float
        At least one sample is made.
    sample_rate : int
        In Hz.
    channels : int
        Each has notes of its own.
    seed : int
        The same gives the same.

    Returns
    -------
    numpy.ndarray
        float64, shape [samples, channels], within ±0.9.
    """
    random = np.random.default_rng(seed)
    samples = max(1, round(seconds * sample_rate))
    times = np.arange(samples)[:, np.newaxis] / sample_rate
    sound = random.normal(0, 0.01, (samples, channels))
    for _ in range(4):
        pitch = random.uniform(100, min(2000, sample_rate / 3), channels)
        begin = random.uniform(0, seconds)
        sound += 0.2 * np.exp(-3 * np.abs(times - begin)) * np.sin(2 * np.pi * pitch * times)
    return np.clip(sound, -0.9, 0.9)
