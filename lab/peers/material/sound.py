"""One segment of noise: the cost of nothing here depends on the sound."""

from __future__ import annotations

import numpy as np

import essentia_maest as maest
from essentia_maest.making.metadata import NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION
from lab.peers.material.request import Request


def main() -> None:
    """Write audio.npy [samples], mel.npy [frames, 96] and normalised.npy [96, frames]."""
    request = Request()
    rng = np.random.default_rng(0)
    samples = request.size.seconds * 16000
    envelope = np.sin(np.linspace(0, 40, samples)) ** 2
    audio = (0.2 * envelope * rng.standard_normal(samples)).astype(np.float32)
    mel = maest.mel_spectrogram(audio)[: request.size.frames]
    normalised = (mel.T - NORMALIZATION_MEAN) / (2 * NORMALIZATION_STANDARD_DEVIATION)
    np.save(request.folder / "audio.npy", audio)
    np.save(request.folder / "mel.npy", mel)
    np.save(request.folder / "normalised.npy", np.ascontiguousarray(normalised, np.float32))


if __name__ == "__main__":
    main()
