"""librosa's mel spectrogram, compressed as MAEST's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Read the samples."""
    import librosa
    import numpy as np

    audio = np.load(options["audio"])

    def work(_request: Mapping[str, Any]) -> Any:
        power = librosa.feature.melspectrogram(
            y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96, fmax=8000
        )
        return np.log10(1 + 10000 * power).T

    return work


if __name__ == "__main__":
    serve(open_peer, ("librosa", "numpy"))
