"""The music that ships inside the package."""

from __future__ import annotations

from pathlib import Path

_CLIP = Path(__file__).parent / "music" / "example.ogg"


def example_audio() -> Path:
    """Name the audio file that ships with the package, to try things out with.

    Returns
    -------
    pathlib.Path
        30 s of swing, stereo, 44.1 kHz, Ogg Vorbis, made by this project (CC0). For `load_audio`,
        Essentia's loaders, or the command line.
    """
    return _CLIP
