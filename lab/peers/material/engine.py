"""Model files of this engine."""

from __future__ import annotations

from essentia_maest import convert
from lab.peers.material.request import Request
from lab.peers.sizes import CLASSES


def main() -> None:
    """Write fp32.onnx and int8.onnx."""
    request = Request()
    source = request.needed("reference") / "weights.ckpt"
    for precision in ("fp32", "int8"):
        convert(
            source,
            request.folder / f"{precision}.onnx",
            precision=precision,
            labels=[f"class {number}" for number in range(CLASSES)],
            heads=request.size.heads,
        )


if __name__ == "__main__":
    main()
