"""A system that keeps a record; apart, as processes that import it should start fast."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.downstream.systems import Audio, Features
from training.errors import DataError


@dataclass(frozen=True)
class Recorder:
    """A system that notes in a file each track it is given, and stumbles over quiet ones if told.

    Parameters
    ----------
    notes : Path
    loudest : float
        Louder tracks are refused.
    """

    notes: Path
    loudest: float = np.inf
    name: str = "recorder"

    def features(self, audio: Audio) -> Features:
        """Give the loudness and the number of samples."""
        loudness = float(np.abs(audio).max())
        if loudness > self.loudest:
            raise DataError("too loud")
        with self.notes.open("a") as file:
            file.write(f"{loudness:.6f}\n")
        return {
            "loudness": np.array([loudness], np.float32),
            "length": np.array([len(audio), 1], np.float32),
        }

    @property
    def heard(self) -> list[str]:
        """What has been noted so far, sorted."""
        return sorted(self.notes.read_text().splitlines()) if self.notes.exists() else []


class SlowAfterThree(Recorder):
    """A recorder that is still busy when Ctrl-C comes."""

    def features(self, audio: Audio) -> Features:
        """Give what a recorder gives, the fourth and later a minute late."""
        found = super().features(audio)
        time.sleep(0 if len(self.heard) < 3 else 60)
        return found
