"""A network that has learnt nothing, to tell what training gives from what the shape gives."""

from __future__ import annotations

from pathlib import Path

import onnx

from essentia_maest import Model
from essentia_maest.making.conversion import OWN_LICENSE
from essentia_maest.making.metadata import PREFIX, ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.weights import random_weights
from training.errors import DataError

SEED = 0


def write_untrained(like: Path, target: Path) -> None:
    """Write a model file with random weights, in fp32.

    Parameters
    ----------
    like : Path
        A model file of ours: shape, classes and normalisation are taken from it.
    target : Path
        The ``.onnx`` file; the same `like` gives the same file.

    Raises
    ------
    DataError
        When `like` is a model, but not in our format.
    essentia_maest.errors.MaestError
        When `like` is no model, or the file cannot be written.
    """
    Model(like, num_threads=1)  # refuses what is no model, in its own words
    model = onnx.load(like)
    try:
        of_model = {
            entry.key.removeprefix(PREFIX): entry.value
            for entry in model.metadata_props
            if entry.key.startswith(PREFIX)
        }
        # What an int8 file keeps of a layer has other names, but the same last dimension.
        hidden = max(
            constant.dims[-1]
            for constant in model.graph.initializer
            if constant.name.startswith("block_1/fc1/") and constant.dims
        )
        labels = tuple(of_model["labels"].split("\n"))
        weights = random_weights(
            dim=int(of_model["dim"]),
            depth=int(of_model["depth"]),
            heads=int(of_model["heads"]),
            hidden=int(hidden),
            classes=len(labels),
            columns=int(of_model["grid_columns"]),
            rows=int(of_model["grid_rows"]),
            seed=SEED,
        )
        description = ModelDescription(
            name=f"untrained network of the shape of {of_model['name']}",
            description="Random weights, to compare with: the outputs mean nothing.",
            labels=labels,
            trained=False,
            license=OWN_LICENSE,
            source=f"random weights, seed {SEED}",
            source_sha256="",
            mean=float(of_model["normalization_mean"]),
            standard_deviation=float(of_model["normalization_divisor"]) / 2,
        )
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{like}: wanted a model file as `python -m training export` writes it ({error!r})"
        ) from error
    write_model(weights, description, "fp32", target)
