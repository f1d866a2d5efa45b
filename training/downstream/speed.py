"""How much faster than real time systems are, with one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from essentia_maest import load_audio
from essentia_maest.front_end import SAMPLE_RATE
from training.downstream.systems import Audio
from training.errors import DataError

Analysis = Callable[[Audio], object]


class Speed(NamedTuple):
    """Seconds of audio for a second of computing.

    Attributes
    ----------
    analysis : float
        Samples to result.
    with_decoding : float
        File to result.
    """

    analysis: float
    with_decoding: float


def measure_speed(
    analyses: Mapping[str, Analysis], paths: Sequence[Path], *, rounds: int
) -> dict[str, Speed]:
    """Time analyses of the same tracks.

    Systems take turns, track by track, so that what else the machine does hits all of them alike;
    of each track the fastest of all rounds counts, as nothing but others' work makes one slower.

    Parameters
    ----------
    analyses : mapping of str to callable
        What is to be timed, each with one thread of its own; called with float32 [samples].
    paths : sequence of Path
        Audio files.
    rounds : int
        One more comes first that does not count.

    Returns
    -------
    dict of str to Speed

    Raises
    ------
    DataError
        When there are no files or no rounds.
    essentia_maest.errors.AudioFileError
        When a file cannot be decoded.
    """
    if not paths or rounds < 1:
        raise DataError(f"{len(paths)} files and {rounds} rounds; wanted 1 or more of each")
    seconds = 0.0
    decoding = 0.0
    analysing = dict.fromkeys(analyses, 0.0)
    for path in paths:
        audio = load_audio(path)
        seconds += len(audio) / SAMPLE_RATE
        analyse = [partial(analysis, audio) for analysis in analyses.values()]
        fastest = _fastest([partial(load_audio, path), *analyse], rounds)
        decoding += fastest[0]
        for name, taken in zip(analyses, fastest[1:], strict=True):
            analysing[name] += taken
    return {
        name: Speed(seconds / taken, seconds / (decoding + taken))
        for name, taken in analysing.items()
    }


def _fastest(work: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Give the seconds that each piece of work takes at the least."""
    taken = np.array([[_time(one) for one in work] for _ in range(rounds + 1)])
    fastest: list[float] = taken[1:].min(0).tolist()
    return fastest


def _time(work: Callable[[], object]) -> float:
    """Time work by what the CPU spent on it: beside other programs the clock tells of them."""
    start = time.process_time()
    work()
    return time.process_time() - start
