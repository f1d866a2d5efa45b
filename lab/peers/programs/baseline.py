"""A convolutional network, run by ONNX Runtime: mel spectrogram in, activations out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model`."""
    import numpy as np
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    session = onnxruntime.InferenceSession(
        options["model"], settings, providers=["CPUExecutionProvider"]
    )
    mel = np.ascontiguousarray(np.load(options["mel"]).T)[None]

    def work(_request: Mapping[str, Any]) -> Any:
        return session.run(["activations"], {"melspectrogram": mel})[0]

    return work


if __name__ == "__main__":
    serve(open_peer, ("onnxruntime",))
