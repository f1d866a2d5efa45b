"""Essentia's ``MonoLoader``, for an Essentia whose FFmpeg the engine cannot call itself.

It decodes whole files and keeps Python's lock meanwhile.
"""

from __future__ import annotations

import os
import tempfile
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import _core
from ..errors import DecodeError
from ..essentia_algorithms import quiet_essentia
from ..front_end import SAMPLE_RATE

_RESAMPLE_QUALITY = 4  # linear: what the public MAEST models are used with


class MonoLoaderReader:
    """A file decoded whole, as a `Reader`.

    Parameters
    ----------
    file : str
        Absolute path.
    known : _core.Container
        What the file is.

    Raises
    ------
    DecodeError
        Essentia refuses it, or finds no sample in it.
    """

    def __init__(self, file: str, known: _core.Container) -> None:
        self._samples = decode(file)
        if not self._samples.size:
            raise DecodeError("no audio samples could be decoded")
        self.container, self.codec = known.container, known.codec
        self.decoder = "MonoLoader of Essentia"
        self.sample_rate, self.channels = known.rate, known.channels
        told = known.promised >= 0 and known.rate > 0
        self.seconds = known.promised / known.rate if told else None
        self.position = 0
        self.found = len(self._samples)
        self.ending = "truncated" if known.cut else "complete"
        self.damage = ""

    def read(self, samples: int) -> npt.NDArray[np.float32]:
        """Give the next samples."""
        end = self.found if samples < 0 else min(self.position + samples, self.found)
        piece = self._samples[self.position : end].copy()
        self.position = end
        return piece

    def seek(self, sample: int) -> None:
        """Go to a sample."""
        self.position = min(sample, self.found)


def decode(file: str) -> npt.NDArray[np.float32]:
    """Decode a file with Essentia's ``MonoLoader(sampleRate=16000, resampleQuality=4)``.

    Parameters
    ----------
    file : str
        Absolute path.

    Returns
    -------
    numpy.ndarray
        float32, shape [samples].

    Raises
    ------
    DecodeError
        Essentia refuses it, or is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="maest-") as folder:
        try:
            with quiet_essentia() as essentia:
                loader = essentia.Algorithm("MonoLoader")
                _configure(loader.__configure__, file, folder)
                return np.asarray(loader.__compute__(), dtype=np.float32)
        except RuntimeError as error:
            raise DecodeError(_reason(error)) from error
        except ImportError as error:
            raise DecodeError("Essentia is not installed") from error


def _configure(configure: Callable[..., None], file: str, folder: str) -> None:
    # MonoLoader's destructor follows an uninitialised pointer if the first file that it is given
    # has an unknown codec (seen in 2.1b6.dev1389): let it open a good one before.
    configure(filename=_write_silence(folder))
    configure(
        filename=_essentia_name(file, folder),
        sampleRate=float(SAMPLE_RATE),
        resampleQuality=_RESAMPLE_QUALITY,
    )


def _reason(error: RuntimeError) -> str:
    """Say in our words why Essentia cannot decode a file."""
    text = str(error).rstrip(".!")
    if "Could not open file" in text or "Could not find stream information" in text:
        return f"not recognised as audio ({text.rpartition('error = ')[2]})"
    if "found 0 streams" in text:
        return "no audio stream in it"
    return "Essentia cannot decode it: " + text.rpartition("AudioLoader: ")[2]


def _write_silence(folder: str) -> str:
    name = os.path.join(folder, "silence.wav")
    with wave.open(name, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", "not compressed"))
        file.writeframes(bytes(16))
    return name


def _essentia_name(file: str, folder: str) -> str:
    """Return a name of the file that Essentia's Python can take, which is valid UTF-8 only."""
    try:
        file.encode("utf-8")
        return file
    except UnicodeEncodeError:
        suffix = Path(file).suffix
        link = os.path.join(folder, "track" + (suffix if suffix.isascii() else ""))
        os.symlink(file, link)
        return link
