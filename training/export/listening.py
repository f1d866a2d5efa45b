"""Real audio to compare models on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

import essentia_maest as maest
from essentia_maest.errors import AudioFileError
from essentia_maest.front_end import HOP_SIZE
from training.data.store import SpectrogramStore
from training.errors import DataError, ExportError

_log = logging.getLogger("training")

_TRACKS = 8
_SEGMENTS_OF_A_TRACK = 2

Audio = npt.NDArray[np.float32]


def validation_audio(dataset: Path) -> list[Path]:
    """Choose tracks of a data set's validation split, spread over it.

    Raises
    ------
    ExportError
        If there are none.
    """
    wanted = "give real audio to check the model on: --audio FILE"
    try:
        store = SpectrogramStore(dataset)
        indices = store.indices("validation")
    except DataError as error:
        raise ExportError(f"{wanted} (the run's data set cannot be used: {error})") from error
    if not len(indices):
        raise ExportError(f"{wanted} (the run's data set has no validation tracks)")
    places = np.linspace(0, len(indices) - 1, min(_TRACKS, len(indices))).round().astype(int)
    return [store.path(int(indices[place])) for place in places]


def read_segments(paths: Sequence[Path], segment_frames: int) -> list[Audio]:
    """Cut segments out of the middle of audio files.

    Parameters
    ----------
    paths : sequence of Path
        Those that cannot be decoded are left out, with a warning.
    segment_frames : int
        Mel frames of a segment.

    Returns
    -------
    list of ndarray of float32 [samples]
        Mono, 16 kHz. A file shorter than a segment gives one that is shorter.

    Raises
    ------
    ExportError
        If there is no segment.
    """
    # Frames are centred: the first on the first sample, the last on the first one past the end.
    length = (segment_frames - 1) * HOP_SIZE
    segments: list[Audio] = []
    refused = []
    for path in paths:
        try:
            audio = maest.load_audio(path)
        except AudioFileError as error:
            refused.append(str(error))
            continue
        count = min(max(len(audio) // length, 1), _SEGMENTS_OF_A_TRACK)
        start = max(len(audio) - count * length, 0) // 2
        pieces = [audio[start + n * length : start + (n + 1) * length] for n in range(count)]
        segments += [piece for piece in pieces if np.any(piece)]
    for reason in refused:
        _log.warning("left out of the check: %s", reason)
    if not segments:
        raise ExportError(
            f"none of {len(paths)} audio files can be used to check the model, {len(refused)} "
            "cannot be decoded and the others are silent; give others: --audio FILE"
        )
    return segments
