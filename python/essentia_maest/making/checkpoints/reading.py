"""A path to a checkpoint: tells the formats apart by their content."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints import ast_naming, maest_naming
from essentia_maest.making.checkpoints.checkpoint import Checkpoint, Tensors, listing
from essentia_maest.making.checkpoints.huggingface import (
    CONFIG,
    read_config,
    read_huggingface_folder,
)
from essentia_maest.making.checkpoints.official_onnx import read_official_onnx
from essentia_maest.making.checkpoints.onnx_files import load_onnx
from essentia_maest.making.checkpoints.own_onnx import is_own_file, read_own_onnx
from essentia_maest.making.checkpoints.pytorch_files import load_pytorch_file, state_dict_arrays
from essentia_maest.making.checkpoints.safetensors_files import read_safetensors_file
from essentia_maest.making.checkpoints.training_files import (
    is_training_checkpoint,
    read_training_checkpoint,
    training_arrays,
    training_heads,
    training_labels,
    training_normalisation,
)
from essentia_maest.reading.foreign import PICKLES, is_safetensors, read_start, refuse_foreign

_log = logging.getLogger(__name__)

_WANTED = (
    "a MAEST checkpoint (.ckpt, .pt, .pth, .bin), a .safetensors file, a Hugging Face folder, one "
    "of Essentia's official .onnx files, or a model file in fp32"
)


def read_checkpoint(source: Path, heads: int | None = None, *, rounded: bool = False) -> Checkpoint:
    """Read a checkpoint of any of the known formats.

    Parameters
    ----------
    source : Path
        A file or a Hugging Face folder.
    heads : int, optional
        Attention heads, where the file does not say and the width does not tell.
    rounded : bool
        Take the 8-bit weights of a model file too: good to train on from, not to convert again.

    Returns
    -------
    Checkpoint

    Raises
    ------
    ModelError
        If the source does not exist, is damaged, or is of no known format.
    ImportError
        If the package that reads the format is not installed.
    """
    if source.is_dir():
        refuse_foreign(source, b"")
        return read_huggingface_folder(source, heads)
    start = _start_of(source)
    if start.startswith(PICKLES):
        content = load_pytorch_file(source)
        if is_training_checkpoint(content):
            return read_training_checkpoint(content, source, heads)
        return _from_arrays(state_dict_arrays(content, source), source, heads)
    if is_safetensors(start):
        return _from_arrays(read_safetensors_file(source), source, heads)
    if source.suffix.lower() == ".onnx":
        model = load_onnx(source)
        if is_own_file(model):
            return read_own_onnx(model, source, heads, rounded=rounded)
        return read_official_onnx(model, source, heads)
    raise ModelError(f"{source}: found a file that starts with {start[:8]!r}; wanted {_WANTED}")


class MaestArrays(NamedTuple):
    """A file's arrays under their bare names, and what it says beside them, or None."""

    arrays: dict[str, NDArray[Any]]
    heads: int | None = None
    labels: tuple[str, ...] | None = None
    normalisation: tuple[float, float] | None = None


def read_maest_arrays(source: Path) -> MaestArrays | None:
    """Read the arrays of a file whose names are those of timm, PaSST and palonso/MAEST.

    Parameters
    ----------
    source : Path
        A PyTorch or safetensors file; DeiT's and PaSST's are read too.

    Returns
    -------
    MaestArrays or None
        Of averaged weights, where there are any; None if the source is of another format.

    Raises
    ------
    ModelError
        If the source does not exist or is damaged.
    ImportError
        If the package that reads the format is not installed.
    """
    if source.is_dir():
        return None
    start = _start_of(source)
    if start.startswith(PICKLES):
        content = load_pytorch_file(source)
        if is_training_checkpoint(content):
            return MaestArrays(
                training_arrays(content, source)[0],
                training_heads(content, source),
                training_labels(content, source),
                training_normalisation(content, source),
            )
        arrays = state_dict_arrays(content, source)
    elif is_safetensors(start):
        arrays = read_safetensors_file(source)
    else:
        return None
    if not any(name.endswith(maest_naming.ANCHOR) for name in arrays):
        return None
    return MaestArrays(maest_naming.bare_arrays(arrays, str(source))[0])


def _start_of(source: Path) -> bytes:
    """Give the first bytes of a file, which tell its format."""
    if not source.is_file():
        refuse_foreign(source, b"")
        raise ModelError(f"{source}: does not exist; wanted {_WANTED}")
    start = read_start(source)
    if not start:
        raise ModelError(f"{source}: found an empty file; wanted {_WANTED}")
    refuse_foreign(source, start)
    return start


def _from_arrays(arrays: Mapping[str, NDArray[Any]], path: Path, heads: int | None) -> Checkpoint:
    if any(name.endswith(maest_naming.ANCHOR) for name in arrays):
        return _from_maest(arrays, path, heads)
    if any(name.endswith(ast_naming.ANCHOR) for name in arrays):
        return _from_ast(arrays, path, heads)
    raise ModelError(
        f"{path}: found the arrays {listing(arrays)}; wanted those of MAEST "
        f"('...{maest_naming.ANCHOR}') or of transformers' AST ('...{ast_naming.ANCHOR}')"
    )


def _from_maest(arrays: Mapping[str, NDArray[Any]], path: Path, heads: int | None) -> Checkpoint:
    chosen, prefix = maest_naming.bare_arrays(arrays, str(path))
    if prefix:
        _log.info("%s: taking the weights named %s...", path.name, prefix)
    left = [name for name in arrays if not name.startswith(prefix)]
    if left:
        _log.info("%s: leaving %s", path.name, listing(left))
    return Checkpoint(
        weights=maest_naming.weights_from_maest(Tensors(chosen, str(path)), heads),
        name=path.stem,
        source=f"{path.name} (weights {prefix}*)" if prefix else path.name,
        path=path,
    )


def _from_ast(arrays: Mapping[str, NDArray[Any]], path: Path, heads: int | None) -> Checkpoint:
    config_path = path.with_name(CONFIG)
    labels = None
    settings = ast_naming.AstSettings(heads=heads)
    if config_path.is_file():
        config = read_config(config_path)
        labels = config.labels
        settings = ast_naming.AstSettings(
            heads if heads is not None else config.settings.heads,
            config.settings.columns,
            config.settings.norm_epsilon,
            config.settings.head_norm_epsilon,
        )
    return Checkpoint(
        weights=ast_naming.weights_from_ast(arrays, str(path), settings),
        name=path.stem,
        source=path.name,
        path=path,
        labels=labels,
    )
