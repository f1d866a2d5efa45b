"""PyTorch files that would run code, fill the memory, or say what is not so."""

from __future__ import annotations

import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

_GIGABYTE = 1 << 30


class _Reduced:
    """Unpickles into a call."""

    def __init__(self, function: str, arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        module, _, name = self._function.rpartition(".")
        return getattr(__import__(module), name), self._arguments


def _calls(canary: Path) -> list[Any]:
    """Give objects that would leave a mark."""
    line = f"open({str(canary)!r}, 'w').close()"
    return [
        _Reduced("os.system", (f"touch '{canary}'",)),
        _Reduced("builtins.exec", (line,)),
        _Reduced("builtins.eval", (line,)),
        _Reduced("os.mkdir", (str(canary),)),
        _Reduced("shutil.copy", ("/etc/hostname", str(canary))),
        _Reduced("builtins.open", (str(canary), "w")),
    ]


def _raw(canary: Path) -> list[bytes]:
    """Give pickles written by hand, with operations that `pickle` itself does not write."""
    mark = f"touch '{canary}'".encode()
    line = f"open({str(canary)!r}, 'w').close()".encode()
    text = struct.pack("<I", len(mark)) + mark
    code = struct.pack("<I", len(line)) + line
    touch = struct.pack("<I", len(str(canary))) + str(canary).encode()
    return [
        b"cos\nsystem\n(S\"" + mark + b"\"\ntR.",
        b"(S\"" + mark + b"\"\nios\nsystem\n.",
        b"(cos\nsystem\nS\"" + mark + b"\"\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93X" + text + b"\x85R.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93X" + text + b"\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93X" + code + b"\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93\x8c\x02os\x8c\x06system\x86R.",
        b"\x80\x04\x8c\x07pathlib\x8c\x0aPath.touch\x93\x8c\x07pathlib\x8c\x04Path\x93X" + touch
        + b"\x85R\x85R.",
        b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R}\x8c\x09__class__cos\nsystem\nsb.",
        b"\x80\x04\x8c\x0ctorch.serialization\x8c\x02os.system\x93X" + text + b"\x85R.",
        b"\x80\x04\x8c\x0ctorch._utils\x8c\x12_rebuild_parameter\x93cos\nsystem\nX" + text
        + b"\x85R\x89}\x87R.",
        b"\x80\x04\x82\x01.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\xff.",
        b"\x80\x04" + b"(" * 200_000 + b".", b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x04\x8a\x08" + b"\xff" * 8 + b".", b"\x80\x04\x8b\xff\xff\xff\x7f.",
        b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00.", b"\x80\x04r\xff\xff\xff\x7fN.",
        b"\x80\x04Nr\xff\xff\xff\x0f.", b"\x80\x02]q\x00h\x00a.",
    ]  # fmt: skip


def executing(folder: Path, chance: random.Random, canary: Path) -> Path:
    """Write a file whose pickle calls something, as any of PyTorch's formats has it.

    Parameters
    ----------
    folder : Path
        Where it goes.
    chance : random.Random
        Which.
    canary : Path
        What the call would make.

    Returns
    -------
    Path
    """
    call = chance.choice(_calls(canary))
    shape = chance.randrange(4)
    value: Any = [call, {"state_dict": {"net.x": call}}, {call_key(call): 1}, (call,)][shape]
    content = pickle.dumps(value, protocol=chance.randrange(6))
    if chance.random() < 0.6:
        content = chance.choice(_raw(canary))
    return _write(folder, chance, content)


def call_key(call: Any) -> Any:
    """Make a call part of something that a dict takes as its key."""
    return (call, "state_dict")


def lying_tensor(folder: Path, chance: random.Random, canary: Path) -> Path:
    """Write a state dict with a tensor that is larger than what holds it, or huge.

    Parameters
    ----------
    folder, chance, canary
        See `executing`.
    """
    size = chance.choice(
        ((1 << 20, 1 << 20), (1 << 40,), (-1, 4), (0, 1 << 62), (1 << 16, 1 << 16))
    )
    stride = tuple(chance.choice((0, 1, -1, 1 << 40)) for _ in size)
    offset = chance.choice((0, 0, -1, 1 << 40))
    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    )
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _long(offset) + _longs(size)
        + _longs(stride) + b"\x89ccollections\nOrderedDict\n)RtR"
    )  # fmt: skip
    name = chance.choice((b"net.pos_embed", b"cls_token", b"net.patch_embed.proj.weight"))
    entry = b"X" + struct.pack("<I", len(name)) + name + tensor
    content = b"\x80\x02}X\x0a\x00\x00\x00state_dict}" + entry + b"ss."
    path = folder / "lying.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(16))
    return path


def bomb(folder: Path, chance: random.Random, canary: Path) -> Path:
    """Write an archive that is a thousand times larger once it is unpacked.

    Parameters
    ----------
    folder, chance, canary
        See `executing`.
    """
    path = folder / chance.choice(("bomb.ckpt", "bomb.pt", "bomb.bin"))
    block = bytes(1 << 24)
    member = chance.choice(("archive/data.pkl", "archive/data/0", "data.pkl"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if member != "archive/data.pkl":
            archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/version", "3\n")
        with archive.open(member, "w", force_zip64=True) as file:
            for _ in range(2 * _GIGABYTE // len(block)):
                file.write(block)
    return path


def _write(folder: Path, chance: random.Random, content: bytes) -> Path:
    path = folder / chance.choice(("hostile.ckpt", "hostile.pt", "hostile.bin", "hostile.pth"))
    if chance.random() < 0.5:
        path.write_bytes(content)
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return path


def _long(value: int) -> bytes:
    written = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + written


def _longs(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(_long, values)) + b"t"


PICKLES: dict[str, Callable[[Path, random.Random, Path], Path]] = {
    "pickle that executes": executing,
    "tensor that lies": lying_tensor,
    "archive that is a bomb": bomb,
}
