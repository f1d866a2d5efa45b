"""What all that decode a file have in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Reader(Protocol):
    """An opened file as `essentia_maest.AudioFile` uses it; the engine's own is one."""

    @property
    def container(self) -> str:
        """What the file is."""

    @property
    def codec(self) -> str:
        """How its samples are coded."""

    @property
    def decoder(self) -> str:
        """Who decodes it."""

    @property
    def sample_rate(self) -> int:
        """Of the file, in Hz."""

    @property
    def channels(self) -> int:
        """Of the file."""

    @property
    def seconds(self) -> float | None:
        """What the file promises; None if it does not say."""

    @property
    def position(self) -> int:
        """Samples at 16 kHz before the next that is given."""

    @property
    def ending(self) -> str:
        """How the file ended, as `AudioFile.ending`; ``"unknown"`` until the end was reached."""

    @property
    def found(self) -> int:
        """How many samples at 16 kHz it had; known once the end was reached."""

    @property
    def damage(self) -> str:
        """What could not be decoded; empty if nothing."""

    def read(self, samples: int) -> npt.NDArray[np.float32]:
        """Give the next samples, at most so many; a negative number is all."""

    def seek(self, sample: int) -> None:
        """Go to a sample, or to the end if that is before."""
