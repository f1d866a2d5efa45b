"""The models that have names: those inside the package, and those that were fetched."""

from __future__ import annotations

import os
from pathlib import Path

from .. import _core
from ..errors import ModelError
from .catalogue import find_model
from .fetched import INT8_SUFFIX, fetched_file, fetched_models
from .foreign import read_start, refuse_checkpoint, refuse_foreign

#: What `Model("default")` opens.
DEFAULT = "maest-open-10s"

# Beside the compiled module: in an editable installation the Python files lie elsewhere.
_FOLDER = Path(_core.__file__).parent / "models"


def shipped_models() -> dict[str, Path]:
    """Return name -> path of each model in the package."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.onnx"))}


def resolve(model: str | os.PathLike[str]) -> Path:
    """Return the file that `model`, a name or a path, stands for.

    Raises
    ------
    ModelError
        If it is neither the name of a shipped or fetched model nor an existing file, or the file is
        none that could be a model.
    """
    name = os.fspath(model)
    if isinstance(model, str):
        named = _named(DEFAULT if name == "default" else name)
        if named is not None:
            return named
    path = Path(name)
    start = read_start(path) if path.is_file() else b""
    refuse_foreign(path, start)
    refuse_checkpoint(path, start)
    if path.exists():
        return path
    public = find_model(name.removesuffix(INT8_SUFFIX)) if isinstance(model, str) else None
    if public is not None:
        option = " --convert --precision int8" if name.endswith(INT8_SUFFIX) else ""
        raise ModelError(
            f"model '{name}' is a public model that was not fetched; "
            f"`maest fetch {public.name}{option}` brings it"
        )
    names = ", ".join(["default", *shipped_models(), *fetched_models()])
    raise ModelError(
        f"model '{name}' is neither a file nor one of the models that were shipped or fetched "
        f"({names})"
    )


def _named(name: str) -> Path | None:
    return shipped_models().get(name) or fetched_file(name)
