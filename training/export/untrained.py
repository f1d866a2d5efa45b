"""`python -m training baselines`: the convolutional networks of Figure 3, to measure speed with."""

from __future__ import annotations

from pathlib import Path

import torch

from essentia_maest.making.metadata import ModelDescription
from training.export.plain_onnx import write_plain_onnx
from training.model.baselines import efficientnet_b0, resnet50


def write_untrained(folder: Path, *, frames: int = 1876, classes: int = 400, seed: int = 0) -> Path:
    """Write ``efficientnet_b0.onnx`` and ``resnet50.onnx`` with random weights.

    Speed does not depend on weights; the files say that they are not trained.

    Parameters
    ----------
    folder : path
        Made if need be.
    frames : int
        Of a segment, for what the files tell of themselves; others are taken too.
    classes : int
    seed : int
        Of the weights.

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for make in (efficientnet_b0, resnet50):
            description = ModelDescription(
                name=make.__name__,
                description="Random weights, to measure speed with.",
                labels=tuple(f"class {number}" for number in range(classes)),
                trained=False,
                license="none",
                source="random weights",
                source_sha256="",
            )
            path = folder / f"{make.__name__}.onnx"
            write_plain_onnx(make(classes).eval(), description, frames, path)
    return folder
