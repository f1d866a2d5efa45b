"""Files decoded by Essentia's `MonoLoader`, in whatever takes an `AudioFile`."""

from __future__ import annotations

import os
from pathlib import Path

from essentia_maest import AudioFile, _core
from essentia_maest.decoding.monoloader import MonoLoaderReader


class MonoLoaderFile(AudioFile):
    """An `AudioFile` that `MonoLoader(sampleRate=16000, resampleQuality=4)` decodes whole.

    Parameters
    ----------
    path : str or os.PathLike
        See `AudioFile`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        file = os.path.abspath(path)
        self._reader = MonoLoaderReader(file, _core.identify(os.fsencode(file)))
