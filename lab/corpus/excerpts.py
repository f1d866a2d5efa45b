"""Excerpts of long tracks as files of their own.

A track of a data set is one file, of which 30 s are used; a ten-minute piece has more to give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from essentia_maest.decoding.audio import load_audio
from essentia_maest.errors import AudioFileError
from essentia_maest.files import written_whole
from essentia_maest.front_end import SAMPLE_RATE
from training.errors import DataError

EXCERPT_SECONDS = 30.0


def excerpt_starts(samples: int, length: int, most: int) -> list[int]:
    """Place excerpts evenly over a piece, as many as fit without overlap.

    Parameters
    ----------
    samples, length : int
        Of the piece and of an excerpt, in samples.
    most : int
        Excerpts wanted at most.

    Returns
    -------
    list of int
        First sample of each; one excerpt, from 0, of a piece that is shorter.
    """
    count = min(most, samples // length)
    if count < 1:
        return [0]
    gap = (samples - count * length) / (count + 1)
    return [round(gap * (number + 1)) + number * length for number in range(count)]


def write_excerpts(
    source: Path, paths: list[Path], *, seconds: float = EXCERPT_SECONDS
) -> list[Path]:
    """Write excerpts of one audio file, as mono 16 kHz FLAC.

    Parameters
    ----------
    source : path
        A file that `essentia_maest.load_audio` decodes.
    paths : list of path
        Where excerpts may be written: no more of them than `excerpt_starts` allows are.
    seconds : float
        Length of an excerpt.

    Returns
    -------
    list of Path
        The paths that now hold an excerpt: the first of `paths`.

    Raises
    ------
    DataError
        When the source cannot be decoded.
    """
    try:
        audio = load_audio(source)
    except AudioFileError as error:
        raise DataError(f"{source} cannot be decoded: {error}") from error
    length = round(seconds * SAMPLE_RATE)
    starts = excerpt_starts(len(audio), length, len(paths))
    for start, path in zip(starts, paths, strict=False):
        write_flac(path, audio[start : start + length])
    return paths[: len(starts)]


def write_sounding_excerpts(source: Path, paths: list[Path]) -> list[Path]:
    """Write excerpts as `write_excerpts`, and keep those that are not digital silence."""
    sounding = []
    for path in write_excerpts(source, paths):
        if load_audio(path).any():
            sounding.append(path)
        else:
            path.unlink()
    return sounding


def write_flac(path: Path, audio: NDArray[np.float32]) -> None:
    """Write mono 16 kHz audio as 16-bit FLAC, under its name only once whole.

    Parameters
    ----------
    path : path
        Its folder is made if need be.
    audio : float32 [samples]
        What lies outside -1..1 is clipped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as place:
        soundfile.write(
            place, np.clip(audio, -1.0, 1.0), SAMPLE_RATE, format="FLAC", subtype="PCM_16"
        )
