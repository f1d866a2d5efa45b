"""Tracks, opened: files as they are, what is behind URLs after it was brought here."""

from __future__ import annotations

from ..decoding.audio_file import AudioFile
from ..remote.urls import is_url


def open_track(path: str) -> AudioFile:
    """Open a track.

    Parameters
    ----------
    path : str
        Absolute path, or URL.

    Returns
    -------
    AudioFile

    Raises
    ------
    essentia_maest.errors.AudioFileError
        See `AudioFile`, and `essentia_maest.remote.copies.FetchedAudio`.
    """
    if not is_url(path):
        return AudioFile(path)
    from ..remote.copies import FetchedAudio

    return FetchedAudio(path)
