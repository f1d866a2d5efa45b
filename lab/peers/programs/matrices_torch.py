"""The machine's own rate: a block's four matrix products by torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Draw the matrices of a block `dim` wide, in `precision`."""
    import torch

    from lab.peers.processor import require_bfloat16
    from lab.peers.sizes import block_products

    if options["precision"] == "bfloat16":
        require_bfloat16()
    torch.set_num_threads(options["threads"])
    precision = getattr(torch, options["precision"])
    shapes = block_products(options["dim"])
    matrices = [torch.randn(shape).to(precision) for shape in shapes]
    inputs = {
        (tokens, inner): torch.randn(tokens, inner).to(precision)
        for tokens in options["tokens"]
        for inner, _ in shapes
    }

    @torch.inference_mode()
    def work(request: Mapping[str, Any]) -> Any:
        result = None
        for matrix in matrices:
            result = inputs[request["tokens"], matrix.shape[0]] @ matrix
        return result

    return work


if __name__ == "__main__":
    serve(open_peer, ("torch",))
