"""Essentia's mel front end: frame by frame from Python, or as a streaming network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Read the samples."""
    import essentia
    import essentia.standard as es
    import essentia.streaming as ess
    import numpy as np

    essentia.log.infoActive = essentia.log.warningActive = False
    audio = np.load(options["audio"])
    mel = es.TensorflowInputMusiCNN()

    def work(request: Mapping[str, Any]) -> Any:
        if not request["streaming"]:
            frames = es.FrameGenerator(audio, frameSize=512, hopSize=256, startFromZero=False)
            return np.array([mel(frame) for frame in frames])
        source = ess.VectorInput(audio)
        cutter = ess.FrameCutter(frameSize=512, hopSize=256)
        bands = ess.TensorflowInputMusiCNN()
        pool = essentia.Pool()
        source.data >> cutter.signal
        cutter.frame >> bands.frame
        bands.bands >> (pool, "mel")
        essentia.run(source)
        return pool["mel"]

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia",))
