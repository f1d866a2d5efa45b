"""The paper's convolutional baselines, untrained, as plain ONNX files."""

from __future__ import annotations

from lab.peers.material.request import Request
from lab.peers.sizes import CLASSES
from training.export.untrained import write_untrained


def main() -> None:
    """Write efficientnet_b0.onnx and resnet50.onnx."""
    request = Request()
    write_untrained(request.folder, frames=request.size.frames, classes=CLASSES)


if __name__ == "__main__":
    main()
