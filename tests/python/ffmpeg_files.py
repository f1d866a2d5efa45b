"""Files for the tests of FFmpeg's decoders, and what these give of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import write_audio
from essentia_maest import _core

# FFmpeg's names of what reads a file with that ending.
DEMUXERS = {
    "aac": "aac",
    "ac3": "ac3",
    "aiff": "aiff",
    "au": "au",
    "avi": "avi",
    "flac": "flac",
    "m4a": "mov",
    "mka": "matroska",
    "mp2": "mp3",
    "mp3": "mp3",
    "ogg": "ogg",
    "tta": "tta",
    "wav": "wav",
    "wma": "asf",
    "wv": "wv",
}


def opened(path: Path) -> _core.Source:
    return _core.open_ffmpeg(str(path), DEMUXERS[path.suffix[1:]])


def parts(source: _core.Source) -> list[tuple[int, np.ndarray]]:
    """All that is left, as rates and the samples that have them."""
    found: list[tuple[int, list[np.ndarray]]] = []
    while True:
        samples, rate = source.next()
        if len(samples) == 0:
            return [(rate, np.concatenate(pieces)) for rate, pieces in found]
        if not found or found[-1][0] != rate:
            found.append((rate, []))
        found[-1][1].append(samples)


def decoded(path: Path) -> np.ndarray:
    """All samples of a file that has one rate throughout."""
    ((_, samples),) = parts(opened(path))
    return samples


def convert(source: Path, target: Path, *options: str) -> Path:
    """Make a file with the ffmpeg program; without it the test is skipped."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("the ffmpeg program is not there")
    command = [program, "-v", "error", "-y", "-i", source, *options, target]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"ffmpeg cannot make {target.name}: {made.stderr[-200:]}")
    return target


def write(folder: Path, ending: str, subtype: str, rate: int = 44100, channels: int = 2) -> Path:
    """One second and a half by libsndfile."""
    return write_audio(folder / f"song.{ending}", 1.5, rate, channels, subtype)
