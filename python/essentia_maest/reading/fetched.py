"""Where fetched models lie, and which are there."""

from __future__ import annotations

import os
from pathlib import Path

from .catalogue import MODELS, PublicModel, find_model

CACHE_VARIABLE = "ESSENTIA_MAEST_CACHE"
"""Environment variable that names another folder for fetched models."""

INT8_SUFFIX = "-int8"
"""What follows the name of a model to mean the one converted to int8."""


def cache_folder() -> Path:
    """Give the folder of fetched models; it may not exist yet."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("essentia-maest", appauthor=False))


def model_folder(model: PublicModel) -> Path:
    """Give the folder of one fetched model."""
    return cache_folder() / model.name


def official_file(model: PublicModel) -> Path:
    """Give the place of Essentia's ONNX file of a model."""
    return model_folder(model) / f"{model.essentia}.onnx"


def converted_file(model: PublicModel, precision: str) -> Path:
    """Give the place of the model file that was made of a fetched model."""
    return model_folder(model) / f"{model.name}-{precision}.onnx"


def fetched_file(name: str) -> Path | None:
    """Find the file that the name of a fetched model stands for.

    A name always stands for the same precision: fp32, or int8 with ``-int8`` behind it. Of two fp32
    files our own is taken, which can do more.

    Parameters
    ----------
    name : str
        Any name of a public model, with or without ``-int8``.

    Returns
    -------
    Path or None
        None if there is no such model, or it was not fetched.
    """
    bare = name.removesuffix(INT8_SUFFIX)
    model = find_model(bare)
    if model is None:
        return None
    places = (
        [converted_file(model, "int8")]
        if bare != name
        else [converted_file(model, "fp32"), official_file(model)]
    )
    return next((path for path in places if path.is_file()), None)


def fetched_models() -> dict[str, Path]:
    """Return name -> file of each fetched model, as `fetched_file` finds it."""
    names = [model.name + suffix for model in MODELS for suffix in ("", INT8_SUFFIX)]
    found = {name: fetched_file(name) for name in names}
    return {name: path for name, path in found.items() if path is not None}
