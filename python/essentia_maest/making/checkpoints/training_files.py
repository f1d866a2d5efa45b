"""Checkpoints of this project's own training: weights with their classes and normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.checkpoint import Checkpoint, Tensors
from essentia_maest.making.checkpoints.maest_naming import bare_arrays, weights_from_maest
from essentia_maest.making.checkpoints.pytorch_files import state_dict_arrays

_FORMAT = "essentia-maest training "
_VERSION = "1"
SIZE_HEADS = {"tiny": 3, "small": 6, "base": 12}
"""Attention heads of the sizes that `training` knows."""


def is_training_checkpoint(content: Any) -> bool:
    """Tell whether what a PyTorch file holds was written by a training run of this project."""
    return isinstance(content, Mapping) and str(content.get("format", "")).startswith(_FORMAT)


def training_arrays(content: Any, path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Give the arrays of a run's model, by their bare names, and the prefix that they had.

    Parameters
    ----------
    content
        What the file holds.
    path : Path
        The file, for messages.

    Raises
    ------
    ModelError
        If the version is unknown, or the network is not MAEST.
    """
    version = content["format"].removeprefix(_FORMAT)
    if version != _VERSION:
        raise ModelError(
            f"{path}: found a training checkpoint of version {version!r}, wanted {_VERSION!r}"
        )
    architecture = _model_setting(content, "architecture", path)
    if architecture != "maest":
        raise ModelError(
            f"{path}: found the baseline {architecture!r}, wanted MAEST; "
            "'python -m training export' makes an ONNX file of it"
        )
    return bare_arrays(state_dict_arrays(content, path), str(path))


def training_heads(content: Any, path: Path) -> int:
    """Give a run's attention heads: those of its size, unless it has its own.

    Raises
    ------
    ModelError
        If the configuration does not say.
    """
    heads, size = (_model_setting(content, name, path) for name in ("heads", "size"))
    if heads is None:
        heads = SIZE_HEADS.get(size)
    if not isinstance(heads, int):
        raise ModelError(f"{path}: found size {size!r} and heads {heads!r}, wanted a number")
    return heads


def training_labels(content: Any, path: Path) -> tuple[str, ...]:
    """Tell the names of a run's classes.

    Raises
    ------
    ModelError
        If the file does not say.
    """
    try:
        return tuple(str(name) for name in content["classes"])
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: wanted a training checkpoint with classes ({error!r})"
        ) from error


def training_normalisation(content: Any, path: Path) -> tuple[float, float]:
    """Tell the mean and standard deviation that a run normalised its inputs by.

    Raises
    ------
    ModelError
        If the file does not say.
    """
    try:
        return float(content["mean"]), float(content["std"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: wanted a training checkpoint with classes, mean and std ({error!r})"
        ) from error


def read_training_checkpoint(content: Any, path: Path, heads: int | None) -> Checkpoint:
    """Give the model of a run's checkpoint: the averaged weights, where there are any.

    Parameters
    ----------
    content
        What the file holds.
    path : Path
    heads : int, optional
        Attention heads, instead of what the configuration says.

    Raises
    ------
    ModelError
        If the file is incomplete or of another version, or the network is not MAEST.
    """
    arrays, prefix = training_arrays(content, path)
    try:
        labels = tuple(str(name) for name in content["classes"])
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: wanted a training checkpoint with classes, mean and std ({error!r})"
        ) from error
    normalisation = training_normalisation(content, path)
    weights = weights_from_maest(
        Tensors(arrays, str(path)),
        heads if heads is not None else training_heads(content, path),
        head=_model_setting(content, "head", path),
    )
    return Checkpoint(
        weights=weights,
        name=path.stem,
        source=f"{path.name} (weights {prefix}*)",
        path=path,
        labels=labels,
        normalisation=normalisation,
    )


def _model_setting(content: Any, name: str, path: Path) -> Any:
    try:
        return content["config"]["model"][name]
    except (KeyError, TypeError) as error:
        raise ModelError(
            f"{path}: wanted a training checkpoint whose configuration has model.{name}"
        ) from error
