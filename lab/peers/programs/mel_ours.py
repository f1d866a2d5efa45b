"""The mel front end of this engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Read the samples."""
    import numpy as np

    import essentia_maest as maest

    audio = np.load(options["audio"])

    def work(_request: Mapping[str, Any]) -> Any:
        return maest.mel_spectrogram(audio)

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest",))
