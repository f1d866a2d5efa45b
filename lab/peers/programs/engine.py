"""The engine: samples in, embeddings or activations out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model`, to use `threads`, on the samples of `audio`."""
    import numpy as np

    import essentia_maest as maest

    model = maest.Model(options["model"], num_threads=options["threads"])
    audio = np.load(options["audio"])

    def work(request: Mapping[str, Any]) -> Any:
        if request["whole"]:
            return model.predict(audio, patchout=request["patchout"])
        return model.embed(audio, block=request["block"], patchout=request["patchout"])

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "onnxruntime", "numpy"))
