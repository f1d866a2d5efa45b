"""An audio file to the mel spectrogram of its middle; runs in worker processes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import essentia_maest as maest
from essentia_maest.front_end import SAMPLE_RATE

from .outcomes import Refusal, Spectrogram

UNDECODABLE = "cannot be decoded"
TOO_SHORT = "too short"
UNUSABLE = "unusable samples"
SILENT = "silent"


def excerpt(path: str, *, seconds: float, shortest_seconds: float) -> Spectrogram | Refusal:
    """Decode a file and compute the mel spectrogram of its middle (paper, section 3.1).

    Parameters
    ----------
    path : str
        The audio file.
    seconds : float
        Length of the middle; all of a shorter track is taken.
    shortest_seconds : float
        A track shorter than this is refused.

    Returns
    -------
    Spectrogram or Refusal
        At 30 s, 1876 frames.

    Notes
    -----
    The whole file is decoded and resampled before it is cut, so that the samples are those that
    the engine hears; only the mel leaves the process.
    """
    try:
        audio = maest.load_audio(path)
    except maest.AudioFileError as error:
        return Refusal(UNDECODABLE, str(error))
    length = len(audio) / SAMPLE_RATE
    if length < shortest_seconds:
        return Refusal(TOO_SHORT, f"{length:.2f} s; wanted {shortest_seconds:g} s or more")
    return mel_of(*middle(audio, seconds))


def middle(audio: npt.NDArray[np.float32], seconds: float) -> tuple[npt.NDArray[np.float32], int]:
    """Cut the middle of a signal at 16 kHz, and tell where it starts; a shorter one is whole."""
    wanted = round(seconds * SAMPLE_RATE)
    start = max(0, (len(audio) - wanted) // 2)
    return audio[start : start + wanted], start


def mel_of(audio: npt.NDArray[np.float32], start: int = 0) -> Spectrogram | Refusal:
    """Compute the mel spectrogram as it is stored, by the engine's own front end.

    Parameters
    ----------
    audio : float32 [samples]
    start : int
        Samples of the file before them, for messages.
    """
    try:
        # Its largest value, for the largest samples that it takes, is 30: a half holds that.
        mel = maest.mel_spectrogram(audio).astype(np.float16)
    except maest.InvalidArgumentError as error:
        return Refusal(UNUSABLE, _first_not_finite(audio, start) or str(error))
    if not mel.any():
        return Refusal(SILENT, "the middle is digital silence")
    return Spectrogram.of(mel)


def _first_not_finite(audio: npt.NDArray[np.float32], start: int) -> str:
    """Say where in its file the first sample lies that is no number; empty where all are."""
    found = np.flatnonzero(~np.isfinite(audio))
    if not len(found):
        return ""
    place = start + int(found[0])
    value = audio[found[0]]
    return f"sample {place} ({place / SAMPLE_RATE:.2f} s) is {value}; wanted finite samples"
