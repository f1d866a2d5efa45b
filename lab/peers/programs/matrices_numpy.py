"""The machine's own rate: a block's four matrix products by NumPy's BLAS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Draw the matrices of a block `dim` wide."""
    import numpy as np

    from lab.peers.sizes import block_products

    rng = np.random.default_rng(0)
    shapes = block_products(options["dim"])
    matrices = [rng.standard_normal(shape, np.float32) for shape in shapes]
    inputs = {
        (tokens, inner): rng.standard_normal((tokens, inner), np.float32)
        for tokens in options["tokens"]
        for inner, _ in shapes
    }

    def work(request: Mapping[str, Any]) -> Any:
        result = None
        for matrix in matrices:
            result = inputs[request["tokens"], matrix.shape[0]] @ matrix
        return result

    return work


if __name__ == "__main__":
    serve(open_peer, ("numpy",))
