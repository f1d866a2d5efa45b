"""The models that ship inside the package."""

from __future__ import annotations

import os
from pathlib import Path

from .. import _core
from ..errors import ModelError

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
        If it is neither the name of a shipped model nor an existing file.
    """
    shipped = shipped_models()
    name = os.fspath(model)
    if isinstance(model, str):
        if name == "default":
            name = DEFAULT
        if name in shipped:
            return shipped[name]
    path = Path(name)
    if not path.exists():
        names = ", ".join(["default", *shipped])
        raise ModelError(
            f"model '{name}' is neither a file nor one of the models shipped with the package "
            f"({names})"
        )
    return path
