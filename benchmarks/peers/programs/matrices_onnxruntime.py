"""The machine's own rate: a block's four matrix products by ONNX Runtime's 8-bit kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Make one MatMulInteger for each matrix of a block `dim` wide."""
    import numpy as np
    import onnx
    import onnxruntime

    from benchmarks.peers.sizes import block_products

    rng = np.random.default_rng(0)
    shapes = block_products(options["dim"])
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options["threads"]
    sessions = []
    for inner, outer in shapes:
        matrix = rng.integers(-63, 64, (inner, outer), dtype=np.int8)
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMulInteger", ["x", "matrix"], ["y"])],
            "product",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, ["tokens", inner])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.INT32, ["tokens", outer])],
            [onnx.numpy_helper.from_array(matrix, "matrix")],
        )
        model = onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9
        )
        sessions.append(
            onnxruntime.InferenceSession(
                model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
            )
        )
    inputs = {
        (tokens, inner): rng.integers(0, 256, (tokens, inner), dtype=np.uint8)
        for tokens in options["tokens"]
        for inner, _ in shapes
    }

    def work(request: Mapping[str, Any]) -> Any:
        result = None
        for session, (inner, _) in zip(sessions, shapes, strict=True):
            (result,) = session.run(["y"], {"x": inputs[request["tokens"], inner]})
        return result

    return work


if __name__ == "__main__":
    serve(open_peer, ("onnxruntime",))
