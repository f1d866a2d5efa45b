"""Develop against load_audio until AudioFile is there."""

from __future__ import annotations

from ..decoding.audio import load_audio


class Whole:
    decoder = "Essentia"
    container = "?"
    codec = "?"
    ending = None
    seconds_found = None
    seconds_promised = None
    damage = None

    def __init__(self, path, audio=None):
        self._audio = load_audio(path) if audio is None else audio
        self.seconds = len(self._audio) / 16000
        self._at = 0

    def read(self, samples):
        piece = self._audio[self._at : self._at + samples]
        self._at += len(piece)
        if not len(piece):
            self.ending = "complete"
            self.seconds_found = self.seconds_promised = self.seconds
        return piece

    def seek(self, seconds):
        self._at = round(seconds * 16000)

    def close(self):
        pass


def open_audio(path):
    return Whole(path)
