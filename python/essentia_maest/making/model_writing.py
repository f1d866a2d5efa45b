"""Model files are written as a whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from essentia_maest.errors import InvalidArgumentError
from essentia_maest.files import write_together
from essentia_maest.making.graph import Precision, build_model
from essentia_maest.making.metadata import (
    ModelDescription,
    essentia_json,
    essentia_metadata,
    model_properties,
)
from essentia_maest.making.quantization_plan import QuantizationPlan
from essentia_maest.making.weights import ModelWeights


def checked_destination(destination: str | os.PathLike[str]) -> Path:
    """Check that a model file can be written to a path.

    Raises
    ------
    InvalidArgumentError
        If it does not end in .onnx, is a folder, or its folder does not exist.
    """
    path = Path(destination)
    if path.suffix.lower() != ".onnx":
        raise InvalidArgumentError(f"{path}: the destination must end in .onnx")
    if path.is_dir():
        raise InvalidArgumentError(f"{path}: the destination is a folder; wanted a file")
    if not path.parent.is_dir():
        raise InvalidArgumentError(f"{path}: the folder {path.parent} does not exist")
    return path


def write_model(
    weights: ModelWeights,
    description: ModelDescription,
    precision: Precision,
    target: Path,
    plan: QuantizationPlan | None = None,
) -> None:
    """Write a model file, and Essentia's metadata beside it, each as a whole or not at all.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
    precision : {"fp32", "int8"}
    target : Path
        The ``.onnx`` file; the metadata goes to the same name with ``.json``.
    plan : QuantizationPlan, optional
        What of an int8 model is done otherwise.

    Raises
    ------
    ModelError
        If the weights do not fit the mel front end, or one file.
    InvalidArgumentError
        If the files cannot be written.
    ImportError
        If ``essentia-maest[convert]`` is not installed.
    """
    text = essentia_json(essentia_metadata(description, weights))
    properties = model_properties(description, weights, precision, text, plan)
    model = build_model(weights, precision=precision, plan=plan, properties=properties)
    try:
        # The model comes last: a JSON file alone is not taken for a model.
        write_together(
            {
                target.with_suffix(".json"): text,
                target: model.SerializeToString(deterministic=True),
            }
        )
    except OSError as error:
        raise InvalidArgumentError(
            f"{target}: cannot be written ({error.strerror or error})"
        ) from error
