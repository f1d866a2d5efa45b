"""The network as torch exports it, run by OpenVINO, compiled for each patchout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Read `model`, to compute in `precision`: f32 or bf16."""
    import numpy as np
    import openvino

    core = openvino.Core()
    precision = options["precision"]
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RuntimeError("OpenVINO does not compute in bfloat16 on this processor")
    settings = {
        "INFERENCE_NUM_THREADS": options["threads"],
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    mel = np.load(options["mel"])[None, None]
    compiled: dict[tuple[int, int], Any] = {}

    def work(request: Mapping[str, Any]) -> Any:
        kept = {name: np.array(request[name], np.int64) for name in ("rows", "columns")}
        shape = (len(kept["rows"]), len(kept["columns"]))
        if shape not in compiled:
            model = core.read_model(options["model"])
            model.reshape(
                {"mel": mel.shape, **{name: [len(numbers)] for name, numbers in kept.items()}}
            )
            compiled[shape] = core.compile_model(model, "CPU", settings)
        return compiled[shape]({"mel": mel, **kept})["result"]

    return work


if __name__ == "__main__":
    serve(open_peer, ("openvino",))
