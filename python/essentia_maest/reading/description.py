"""What a model says of itself in Essentia's metadata schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import _core
from ..errors import ModelError
from .text_files import parse_json, read_text


def read_info(path: Path, model: _core.ModelInfo) -> dict[str, Any]:
    """Return the metadata inside a model file, or beside an official ONNX file.

    Parameters
    ----------
    path : Path
        The model file.
    model : _core.ModelInfo
        What the engine read from it.

    Returns
    -------
    dict
        Essentia's metadata; empty if there is none.

    Raises
    ------
    ModelError
        If it is not a JSON object, or the file beside the model cannot be read.
    """
    text = model.essentia_metadata
    beside = path.with_suffix(".json")
    if not text and beside.is_file():  # an official ONNX file with its official JSON
        text = read_text(beside)
    if not text:
        return {}
    info = parse_json(text, f"the metadata of model '{path}'")
    if not isinstance(info, dict):
        raise ModelError(
            f"the metadata of model '{path}' is a {type(info).__name__}; an object is wanted"
        )
    return info


def read_labels(path: Path, model: _core.ModelInfo, info: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes: the model file's, else the metadata's, else placeholders.

    Parameters
    ----------
    path : Path
        The model file.
    model : _core.ModelInfo
        What the engine read from it.
    info : dict
        Its metadata.

    Returns
    -------
    tuple of str
        One for each class.

    Raises
    ------
    ModelError
        If there are names, but not one for each class.
    """
    classes = info.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ModelError(f"the metadata of model '{path}' has classes that are no list of names")
    labels = tuple(model.labels) or tuple(classes)
    if not labels:
        return tuple(f"class-{index:03d}" for index in range(model.classes))
    if len(labels) != model.classes:
        raise ModelError(
            f"model '{path}' has {model.classes} classes, but the metadata beside it names "
            f"{len(labels)}"
        )
    return labels
