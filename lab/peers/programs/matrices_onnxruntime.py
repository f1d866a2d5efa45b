"""The machine's own rate: a block's four matrix products by ONNX Runtime's 8-bit kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Make a MatMulInteger for each matrix of a block `dim` wide."""
    import numpy as np
    import onnx
    import onnxruntime

    from lab.peers.sizes import block_products

    rng = np.random.default_rng(0)
    shapes = block_products(options["dim"])
    value, helper = onnx.helper.make_tensor_value_info, onnx.helper
    widths = sorted({inner for inner, _ in shapes})
    matrices = [
        onnx.numpy_helper.from_array(
            rng.integers(-63, 64, shape, dtype=np.int8), f"matrix_{number}"
        )
        for number, shape in enumerate(shapes)
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMulInteger", [f"x_{inner}", matrix.name], [f"y_{number}"])
            for number, ((inner, _), matrix) in enumerate(zip(shapes, matrices, strict=True))
        ],
        "products",
        [value(f"x_{inner}", onnx.TensorProto.UINT8, ["tokens", inner]) for inner in widths],
        [
            value(f"y_{number}", onnx.TensorProto.INT32, ["tokens", outer])
            for number, (_, outer) in enumerate(shapes)
        ],
        matrices,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    # One session: threads of several, which spin for a while after their work, were in each
    # other's way.
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    inputs = {
        tokens: {
            f"x_{inner}": rng.integers(0, 256, (tokens, inner), dtype=np.uint8) for inner in widths
        }
        for tokens in options["tokens"]
    }

    def work(request: Mapping[str, Any]) -> Any:
        return session.run(None, inputs[request["tokens"]])[-1]

    return work


if __name__ == "__main__":
    serve(open_peer, ("onnxruntime",))
