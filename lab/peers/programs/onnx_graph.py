"""The network as torch exports it, run by ONNX Runtime."""

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
    mel = np.load(options["mel"])[None, None]

    def work(request: Mapping[str, Any]) -> Any:
        kept = {name: np.array(request[name], np.int64) for name in ("rows", "columns")}
        return session.run(["result"], {"mel": mel, **kept})[0]

    return work


if __name__ == "__main__":
    serve(open_peer, ("onnxruntime",))
