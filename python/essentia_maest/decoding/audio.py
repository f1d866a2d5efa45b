"""Read an audio file as 16 kHz mono float32, exactly as Essentia's ``MonoLoader`` does."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from .audio_file import AudioFile


def load_audio(path: str | os.PathLike[str]) -> npt.NDArray[np.float32]:
    """Decode an audio file to mono at 16 kHz.

    The samples are those of Essentia's ``MonoLoader(sampleRate=16000, resampleQuality=4)``: bit
    for bit where the decoder is the same, and for mp3 within one step of 16 bits. `AudioFile`
    tells who decodes a file, reads it in pieces and says how it ended.

    Two channels are averaged as by ``MonoMixer``, and so are more. A damaged or truncated file
    gives the samples that can still be decoded. Other Python threads run meanwhile.

    Decoders are native code and some crash on hostile files: read untrusted collections in a
    process of their own, as ``maest analyze`` does.

    Parameters
    ----------
    path : str or os.PathLike
        A regular file.

    Returns
    -------
    numpy.ndarray
        float32, shape [samples], at least one sample; integer formats are scaled to -1..1,
        floating point formats are taken as they are.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        The path is missing, not a regular file, empty, unreadable, not decodable, or without a
        single audio sample. The message names the path and the reason.

    See Also
    --------
    Essentia's ``AudioLoader``, ``MonoMixer`` and ``Resample``.
    """
    with AudioFile(path) as file:
        return file.read()
