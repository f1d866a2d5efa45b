"""The paper's convolutional baselines, untrained, as plain ONNX files."""

from __future__ import annotations

import torch

from essentia_maest.making.metadata import ModelDescription
from lab.peers.material.request import Request
from lab.peers.sizes import CLASSES
from training.export.plain_onnx import write_plain_onnx
from training.model.baselines import efficientnet_b0, resnet50


def main() -> None:
    """Write efficientnet_b0.onnx and resnet50.onnx."""
    request = Request()
    torch.manual_seed(0)
    for make in (efficientnet_b0, resnet50):
        description = ModelDescription(
            name=make.__name__,
            description="Random weights, to measure speed with.",
            labels=tuple(f"class {number}" for number in range(CLASSES)),
            trained=False,
            license="none",
            source="random weights",
            source_sha256="",
        )
        path = request.folder / f"{make.__name__}.onnx"
        write_plain_onnx(make(CLASSES).eval(), description, request.size.frames, path)


if __name__ == "__main__":
    main()
