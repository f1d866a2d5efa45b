"""Files to analyse: short mp3s as in collections, and ever longer ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

from lab.peers.material.request import Request

DISTINCT = 4
"""Tracks that differ; the others are copies."""

_RATE = 44100
_BLOCK_SECONDS = 30


def write(path: Path, seconds: float, rate: int, channels: int, seed: int) -> None:
    """Write notes over soft noise, the same block again and again."""
    rng = np.random.default_rng(seed)
    time = np.arange(_BLOCK_SECONDS * rate) / rate
    sound = rng.normal(0, 0.02, (len(time), channels))
    for pitch in rng.uniform(80, 3000, 8):
        beat = np.exp(-4 * (time * rng.uniform(1, 3) % 1.0))
        sound += (0.06 * beat * np.sin(2 * np.pi * pitch * time))[:, None]
    block = sound.astype(np.float32)
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=channels) as file:
        for start in range(0, round(seconds * rate), len(block)):
            file.write(block[: round(seconds * rate) - start])


def main() -> None:
    """Write few-*.mp3 and many-*.mp3, stereo at 44.1 kHz, and minutes-*.flac, mono at 16 kHz."""
    request = Request()
    options = request.options
    distinct = [request.folder / f"track-{number}.mp3" for number in range(DISTINCT)]
    for number, path in enumerate(distinct):
        write(path, options["track_seconds"], _RATE, 2, number)
    for kind in ("few", "many"):
        for number in range(options[f"{kind}_tracks"]):
            source = distinct[number % DISTINCT]
            shutil.copyfile(source, request.folder / f"{kind}-{number:03}.mp3")
    for minutes in options["durations"]:
        write(request.folder / f"minutes-{minutes:g}.flac", 60 * minutes, 16000, 1, 99)


if __name__ == "__main__":
    main()
