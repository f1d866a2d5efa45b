"""Checkpoints under atheris: `python -m lab.torture.fuzz_checkpoints [OPTIONS] FOLDER`.

Options are those of libFuzzer. The first byte of an input says what the rest is: a PyTorch file, a
safetensors file, settings of a folder, an ONNX file, names of classes. Whatever is not an error of
ours is a find.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["essentia_maest.making", "essentia_maest.reading"]):
    from essentia_maest.errors import MaestError
    from essentia_maest.making.checkpoints.reading import read_checkpoint
    from essentia_maest.making.conversion import _given_labels

_SETTINGS = "settings"
_KINDS = ("x.ckpt", "x.safetensors", _SETTINGS, "x.onnx", "labels.json", "labels.txt")


def main() -> None:
    """Run until libFuzzer's options say that it is enough, or something is found."""
    warnings.simplefilter("ignore")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="maest-fuzz-") as place:
        atheris.Setup(sys.argv, _target(Path(place)))
        atheris.Fuzz()


def _target(place: Path) -> Callable[[bytes], None]:
    def try_one(data: bytes) -> None:
        if not data:
            return
        kind = _KINDS[data[0] % len(_KINDS)]
        try:
            _read(place, kind, data[1:])
        except (MaestError, ImportError):
            return

    return try_one


def _read(place: Path, kind: str, content: bytes) -> None:
    if kind == _SETTINGS:
        folder = place / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "config.json").write_bytes(content)
        (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
        read_checkpoint(folder)
        return
    path = place / kind
    path.write_bytes(content)
    if kind.startswith("labels"):
        _given_labels(path)
    else:
        read_checkpoint(path)


if __name__ == "__main__":
    main()
