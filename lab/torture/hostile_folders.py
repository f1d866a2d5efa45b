"""Hugging Face folders and safetensors files that would hang, fill the memory, or deceive."""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.torture.damage import damaged

_NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "1e-320", "9" * 5000, "9" * 25,
    "2147483648", "null", "true", '"x"', "[]", "{}", '"\\u001b[31m"', f'"{"x" * 100_000}"',
)  # fmt: skip
_DEEP = ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000)
_TEXT = b"\x1b]0;owned\x07\x1b[31mred \xff\xfe"


def odd_settings(folder: Path, chance: random.Random, good: Path) -> Path:
    """Give a folder settings that no model has.

    Parameters
    ----------
    folder : Path
        Where it goes.
    chance : random.Random
        Which.
    good : Path
        The folder with good checkpoints.

    Returns
    -------
    Path
    """
    made = _copy(folder, good)
    config = made / "config.json"
    values: dict[str, Any] = json.loads(config.read_text())
    key = chance.choice(list(values))
    marked = json.dumps({**values, key: "MARK"})
    way = chance.randrange(6)
    if way == 0:
        config.write_text(chance.choice(_DEEP))
    elif way == 1:
        config.write_text(marked.replace('"MARK"', chance.choice(_DEEP)))
    elif way == 2:
        config.write_bytes(damaged(config.read_bytes(), chance))
    elif way == 3:
        labels = {str(number): _TEXT.decode(errors="replace") for number in range(7)}
        config.write_text(json.dumps({**values, "id2label": labels}))
    else:
        config.write_text(marked.replace('"MARK"', chance.choice(_NUMBERS)))
    return made


def odd_entries(folder: Path, chance: random.Random, good: Path) -> Path:
    """Put something that is no file where a file is wanted.

    Parameters
    ----------
    folder, chance, good
        See `odd_settings`.
    """
    made = _copy(folder, good)
    entry = made / chance.choice(("config.json", "README.md", "model.safetensors"))
    entry.unlink()
    way = chance.randrange(7)
    if way == 0:
        os.mkfifo(entry)
    elif way == 1:
        entry.mkdir()
    elif way == 2:
        entry.symlink_to(entry.name)
    elif way == 3:
        entry.symlink_to(chance.choice(("/dev/zero", "/dev/full", "/dev/random", "/proc/self/mem")))
    elif way == 4:
        with open(entry, "wb") as file:
            file.truncate(1 << 40)
    elif way == 5:
        entry.write_bytes(_TEXT * 1000)
    else:
        entry.write_text("---\nlicense: x\n" + "\n" * 300_000 + " " * 300_000 + "-" * 1000)
    return made


def odd_safetensors(folder: Path, chance: random.Random, good: Path) -> Path:
    """Write a safetensors file whose header lies.

    Parameters
    ----------
    folder, chance, good
        See `odd_settings`.
    """
    content = (good / "good.safetensors").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    name = chance.choice([one for one in header if one != "__metadata__"])
    way = chance.randrange(8)
    if way == 0:
        header[name]["data_offsets"] = [0, chance.choice((-1, 1, 1 << 40, 1 << 63))]
    elif way == 1:
        header[name]["shape"] = [chance.choice((-1, 0, 1 << 32, 1 << 63)) for _ in range(2)]
    elif way == 2:
        header[name]["dtype"] = chance.choice(("F8_E4M3", "BOOL", "I64", "X", "F64", "BF16"))
    elif way == 3:
        header[name] = chance.choice((None, [], {}, "x", {"dtype": "F32"}))
    elif way == 4:
        header = {"\x1b[31m" + name: header[name]}
    written = json.dumps(header).encode()
    if way == 5:
        written = chance.choice(_DEEP).encode()
    elif way == 6:
        written += b" " * (50 << 20)
    told = len(written)
    if way == 7:
        told = chance.choice((0, 1, 1 << 31, 1 << 40, (1 << 64) - 1))
    path = folder / "hostile.safetensors"
    path.write_bytes(struct.pack("<Q", told) + written + content[8 + length :])
    return path


def damaged_checkpoint(folder: Path, chance: random.Random, good: Path) -> Path:
    """Damage the bytes of a good checkpoint.

    Parameters
    ----------
    folder, chance, good
        See `odd_settings`.
    """
    source = good / chance.choice(("good.ckpt", "good.pt", "good.safetensors"))
    path = folder / source.name
    path.write_bytes(damaged(source.read_bytes(), chance))
    return path


def _copy(folder: Path, good: Path) -> Path:
    made = folder / "hostile"
    shutil.copytree(good / "good", made)
    return made


FOLDERS: dict[str, Callable[[Path, random.Random, Path], Path]] = {
    "odd settings": odd_settings,
    "no files in a folder": odd_entries,
    "odd safetensors": odd_safetensors,
    "damaged bytes": damaged_checkpoint,
}
