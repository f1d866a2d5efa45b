"""Files that people take for models, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from ..errors import ModelError
from .catalogue import find_model

START_BYTES = 512
"""How much of a file's beginning tells what it is."""

PUBLIC_MODELS = (
    "https://essentia.upf.edu/models.html, https://huggingface.co/mtg-upf and the releases of "
    "https://github.com/palonso/MAEST"
)
"""Where the public MAEST models are."""

PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""What files of PyTorch begin with: a zip archive, or a bare pickle with its protocol."""

_SAVED_MODEL = "saved_model.pb"
_HUGGING_FACE = "config.json"
_LFS_POINTER = b"version https://git-lfs"
_LENGTH_DELIMITED_1, _LENGTH_DELIMITED_2 = b"\x0a", b"\x12"


def read_start(path: Path) -> bytes:
    """Give the first bytes of a file, which tell its format.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(START_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse what stands for a model file, or is one of another program.

    Parameters
    ----------
    path : Path
        A file or a folder, which need not exist.
    start : bytes
        The first `START_BYTES` of the file; empty for a folder and for what does not exist.

    Raises
    ------
    ModelError
        If it is a Git LFS pointer or a model of TensorFlow.
    """
    refuse_lfs_pointer(path, start)
    if (
        path.suffix.lower() == ".pb"
        or _is_tensorflow_graph(start)
        or (path / _SAVED_MODEL).is_file()
    ):
        raise ModelError(f"{path}: {tensorflow_words(path)}")


def refuse_checkpoint(path: Path, start: bytes) -> None:
    """Refuse what `maest convert` makes a model file of.

    Parameters
    ----------
    path, start
        As for `refuse_foreign`.

    Raises
    ------
    ModelError
        If it is a Hugging Face folder, a safetensors or a PyTorch file.
    """
    if start.startswith(PICKLES) or is_safetensors(start) or (path / _HUGGING_FACE).is_file():
        raise ModelError(
            f"{path}: found a checkpoint; wanted a model file, which `maest convert` makes of it"
        )


def is_safetensors(start: bytes) -> bool:
    """Tell whether a file begins as one in safetensors' format: a length, then JSON."""
    return start[8:9] == b"{"


def refuse_lfs_pointer(path: Path, start: bytes) -> None:
    """Refuse the few lines that Git leaves in the place of a large file.

    Raises
    ------
    ModelError
        If it is a Git LFS pointer.
    """
    if start.startswith(_LFS_POINTER):
        raise ModelError(
            f"{path}: found a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'"
        )


def tensorflow_words(path: Path) -> str:
    """Say what to do instead of opening a model of TensorFlow.

    Parameters
    ----------
    path : Path
        Its name may be that of a public model.
    """
    model = find_model(path.stem)
    name = "NAME (`maest fetch --list` has the names)" if model is None else model.name
    return (
        "found a model of TensorFlow, which is not read here; wanted ONNX. The public MAEST models "
        f"are published as ONNX and as checkpoints too: {PUBLIC_MODELS}. `maest fetch {name}` "
        "brings one, `maest convert` makes a model file of one that you have"
    )


def _is_tensorflow_graph(start: bytes) -> bool:
    """Tell whether a file begins as TensorFlow's GraphDef: a node, with its name and operator."""
    if not start.startswith(_LENGTH_DELIMITED_1):
        return False
    position = 1
    while position < len(start) and start[position] & 0x80:  # the node's length
        position += 1
    position += 1
    if start[position : position + 1] != _LENGTH_DELIMITED_1 or position + 1 >= len(start):
        return False
    end = position + 2 + start[position + 1]
    name = start[position + 2 : end]
    return name.isascii() and start[end : end + 1] == _LENGTH_DELIMITED_2
