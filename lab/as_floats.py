"""A model file in int8 as one in fp32: what its rounded weights stand for.

`python -m lab.as_floats INT8.onnx FP32.onnx`: for `maest convert`, which refuses a file in int8,
where the weights as they were before are no longer to be had.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from essentia_maest.errors import MaestError
from essentia_maest.making.checkpoints import read_checkpoint
from essentia_maest.making.metadata import (
    NORMALIZATION_MEAN,
    NORMALIZATION_STANDARD_DEVIATION,
    ModelDescription,
)
from essentia_maest.making.model_writing import checked_destination, write_model


def as_floats(source: Path, destination: Path) -> Path:
    """Write a model file of ours in int8 as one in fp32.

    Parameters
    ----------
    source : Path
        A model file of ours.
    destination : Path
        The file to write; labels, licence, source and all else are those of `source`.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    essentia_maest.errors.MaestError
        If the source is no such file, or the destination cannot be written.
    """
    target = checked_destination(destination)
    checkpoint = read_checkpoint(source, rounded=True)
    mean, deviation = checkpoint.normalisation or (
        NORMALIZATION_MEAN,
        NORMALIZATION_STANDARD_DEVIATION,
    )
    description = ModelDescription(
        name=checkpoint.name,
        description=checkpoint.description or "",
        labels=tuple(checkpoint.labels or ()),
        trained=checkpoint.trained,
        license=checkpoint.license or "",
        source=checkpoint.source,
        source_sha256=checkpoint.source_sha256 or "",
        upstream=checkpoint.upstream,
        mean=mean,
        standard_deviation=deviation,
        families=checkpoint.families,
    )
    write_model(checkpoint.weights, description, "fp32", target)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: written; 2: bad usage.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.as_floats", description=__doc__.splitlines()[0]
    )
    parser.add_argument("source", type=Path, help="model file in int8")
    parser.add_argument("destination", type=Path, help="model file to write")
    chosen = parser.parse_args(arguments)
    try:
        as_floats(chosen.source, chosen.destination)
    except MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
