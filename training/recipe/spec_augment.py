"""SpecAugment (Park et al., arXiv:1904.08779): frames and mel bands masked at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is masked takes the mean of the training set, which normalisation has put at 0.
MASKED = 0.0


@dataclass(frozen=True)
class SpecAugment:
    """Mask up to `time_groups` groups of frames and up to `band_groups` groups of bands.

    How many is drawn evenly from 0 to the most, and where each begins evenly too; groups may
    overlap. This is the paper's text (section 3.2: up to 20 groups of 8 frames, up to 5 groups of
    8 bands). The reference's code differs: always 20 groups of 0 to 7 frames and 8 groups of 0 to
    4 bands.

    Parameters
    ----------
    time_groups, time_width : int
        Most groups of frames, and frames of a group.
    band_groups, band_width : int
        Most groups of mel bands, and bands of a group.
    """

    time_groups: int = 20
    time_width: int = 8
    band_groups: int = 5
    band_width: int = 8

    def __call__(self, mel: NDArray[np.float32], generator: np.random.Generator) -> None:
        """Mask a normalised spectrogram [bands, frames] in place."""
        _mask_columns(mel, self.time_groups, self.time_width, generator)
        _mask_columns(mel.T, self.band_groups, self.band_width, generator)


def _mask_columns(
    values: NDArray[Any], most: int, width: int, generator: np.random.Generator
) -> None:
    columns = values.shape[1]
    width = min(width, columns)
    groups = int(generator.integers(0, most + 1))
    for start in generator.integers(0, columns - width + 1, groups):
        values[:, start : start + width] = MASKED
