"""PyTorch files (.ckpt, .pt, .pth, .bin) to named arrays, without running what they contain."""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.checkpoint import listing

_log = logging.getLogger(__name__)

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_BUILDERS = {
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("collections", "OrderedDict"),
}


def read_pytorch_file(path: Path) -> dict[str, NDArray[Any]]:
    """Read the state dict of a PyTorch file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    ModelError
        If the file is damaged, or holds no state dict.
    ImportError
        If torch is not installed.
    """
    return state_dict_arrays(load_pytorch_file(path), path)


def load_pytorch_file(path: Path) -> Any:
    """Read all that a PyTorch file holds; objects of foreign classes become placeholders.

    Raises
    ------
    ModelError
        If the file is damaged.
    ImportError
        If torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path.name} is a PyTorch file, a pickle; reading it needs the package torch: "
            "pip install 'essentia-maest[torch]'"
        ) from error
    _refuse_compressed(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return _load_with_placeholders(path)
    except Exception as error:  # a pickle that was made to harm can fail in any way
        raise _damaged(path, error) from error


def state_dict_arrays(content: Any, path: Path) -> dict[str, NDArray[Any]]:
    """Give the arrays of the state dict in what a PyTorch file holds.

    Parameters
    ----------
    content
        What `load_pytorch_file` gave.
    path : Path
        The file, for messages.

    Raises
    ------
    ModelError
        If there is no state dict, or a tensor has more elements than the file has bytes.
    """
    import torch

    most = path.stat().st_size
    return {
        name: _array(name, value, most, path)
        for name, value in _state_dict(content, path).items()
        if isinstance(value, torch.Tensor)
    }


def _refuse_compressed(path: Path) -> None:
    """Refuse an archive that unpacks to more than it is: PyTorch compresses nothing.

    A few megabytes could fill the memory otherwise.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return  # no archive, or a damaged one: for torch to say
    if unpacked > path.stat().st_size:
        raise ModelError(
            f"{path}: wanted a PyTorch checkpoint, which is not compressed; found an archive of "
            f"{path.stat().st_size} bytes that unpacks to {unpacked}"
        )


def _damaged(path: Path, error: Exception) -> ModelError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return ModelError(f"{path}: wanted a PyTorch checkpoint, found a damaged file ({reason})")


def _array(name: str, tensor: Any, most: int, path: Path) -> NDArray[Any]:
    import torch

    # Strides of zero let one number stand for any count of them.
    if tensor.numel() > most:
        raise ModelError(
            f"{path}: '{name}' of shape {list(tensor.shape)} has more elements than the file has "
            f"bytes ({most})"
        )
    values = tensor.detach()
    if values.is_floating_point():
        values = values.to(torch.float32)
    try:
        return values.numpy()  # type: ignore[no-any-return]
    except (RuntimeError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _state_dict(content: Any, path: Path) -> Mapping[str, Any]:
    import torch

    found = content
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            found = content[wrapper]
            break
    if isinstance(found, Mapping) and any(isinstance(v, torch.Tensor) for v in found.values()):
        return {str(name): value for name, value in found.items()}
    described = (
        f"a dictionary of {listing(map(str, content))}"
        if isinstance(content, Mapping) and not isinstance(content, _Placeholder)
        else f"an object of type {type(content).__name__}"
    )
    raise ModelError(
        f"{path}: found {described}, wanted a state dict of tensors, bare or under "
        f"{' or '.join(repr(name) for name in _WRAPPERS)}"
    )


class _Placeholder(dict[Any, Any]):
    """Stands for an object of a class that is not trusted: takes everything, does nothing."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Ignore the state."""

    def append(self, item: Any) -> None:
        """Ignore an item of a list."""

    def extend(self, items: Any) -> None:
        """Ignore items of a list."""

    def add(self, item: Any) -> None:
        """Ignore an item of a set."""

    def __hash__(self) -> int:  # type: ignore[override]
        """Let it be a key or an item of a set."""
        return id(self)


def _load_with_placeholders(path: Path) -> Any:
    """Read a file that holds more than tensors: nothing but tensors and dictionaries is built.

    Lightning files can hold settings and callbacks of any class. Unpickling those would run code
    of the file's choosing, so placeholders take their place.
    """
    import torch

    foreign: set[str] = set()

    class TensorUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) in _BUILDERS or (
                module in ("torch", "torch.storage") and name.endswith("Storage")
            ):
                return super().find_class(module, name)
            if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
                return getattr(torch, name)
            foreign.add(f"{module}.{name}")
            return _Placeholder

    def load(file: Any, **settings: Any) -> Any:
        return TensorUnpickler(file, **settings).load()

    reader = SimpleNamespace(Unpickler=TensorUnpickler, load=load, __name__="tensors_only")
    try:
        content = torch.load(path, map_location="cpu", weights_only=False, pickle_module=reader)
    except Exception as error:  # a pickle can fail in any way once placeholders are in it
        raise _damaged(path, error) from error
    _log.warning("%s: left out objects of the classes %s", path.name, listing(foreign))
    return content
