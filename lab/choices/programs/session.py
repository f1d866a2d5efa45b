"""The graph in ONNX Runtime itself, with settings that the engine does not offer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model` with `settings` (attributes) and `entries` (named) of the session."""
    import numpy as np
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    for name, value in options.get("settings", {}).items():
        setattr(settings, name, value)
    for name, value in options.get("entries", {}).items():
        settings.add_session_config_entry(name, value)
    session = onnxruntime.InferenceSession(
        options["model"], settings, providers=["CPUExecutionProvider"]
    )

    @cache
    def noise(batch: int, kept: int) -> Any:
        return np.random.default_rng(0).standard_normal((batch, kept, 256), np.float32)

    def work(request: Mapping[str, Any]) -> Any:
        kept = np.array(request["kept"], np.int64)
        block = np.array(request["block"], np.int64)
        patches = noise(request["batch"], len(kept))
        inputs = {"patches": patches, "kept": kept, "depth": block, "tap": block}
        return session.run(["tokens"], inputs)[0]

    return work


if __name__ == "__main__":
    serve(open_peer, ("onnxruntime", "numpy"))
