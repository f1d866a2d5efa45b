"""Read the tensors of a TensorFlow checkpoint without TensorFlow.

A checkpoint is a pair of files: ``.index``, a table in LevelDB's format from a tensor's name to a
protocol buffer that says where it lies, and ``.data-00000-of-00001``, the bytes. The formats:
``tensorflow/core/lib/io/format.cc``, ``tensorflow/core/protobuf/tensor_bundle.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import CheckpointError

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER = 48
_FLOAT = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_checkpoint(prefix: Path) -> dict[str, NDArray[np.float32]]:
    """Read all float32 tensors of a checkpoint of one shard.

    Parameters
    ----------
    prefix : path
        What comes before ``.index`` and ``.data-00000-of-00001``; ends with ``/`` in musicnn, as
        the files there have no other name: give the folder.

    Returns
    -------
    dict
        Name -> array. Tensors of other types are left out.

    Raises
    ------
    CheckpointError
        When a file is missing, cut short or not of this format.
    """
    base = f"{prefix}/" if prefix.is_dir() else str(prefix)
    index, data = Path(base + ".index"), Path(base + ".data-00000-of-00001")
    try:
        table, values = index.read_bytes(), data.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{prefix} is no TensorFlow checkpoint: {error}") from error
    try:
        return dict(_tensors(table, values))
    except (IndexError, KeyError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise CheckpointError(f"{index} cannot be read: {error!r}") from error


def _tensors(table: bytes, values: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for key, value in _table(table):
        if not key:  # the header: one shard, or the offsets would not be of this file
            if _fields(value).get(1, [1]) != [1]:
                raise ValueError("the checkpoint has several shards")
            continue
        entry = _fields(value)
        if entry[1] != [_FLOAT]:
            continue
        shape = [
            _number(_fields(size), 1) for size in _messages(_fields(_messages(entry, 2)[-1]), 2)
        ]
        offset, size = _number(entry, 4), _number(entry, 5)
        if offset + size > len(values) or size != 4 * int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"{key.decode()} has shape {shape} and lies at {offset}+{size} bytes")
        array = np.frombuffer(values, "<f4", size // 4, offset).reshape(shape)
        yield key.decode(), array.astype(np.float32)


def _table(file: bytes) -> Iterator[tuple[bytes, bytes]]:
    footer = file[-_FOOTER:]
    if len(footer) < _FOOTER or footer[-8:] != _MAGIC:
        raise ValueError("no LevelDB table: its last eight bytes are others")
    _, position = _handle(footer, 0)
    index, _ = _handle(footer, position)
    for _, value in _entries(file, index):
        block, _ = _handle(value, 0)
        yield from _entries(file, block)


def _handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = _varint(data, position)
    size, position = _varint(data, position)
    return (offset, size), position


def _entries(file: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Entries of a block: each key repeats a part of the one before it."""
    offset, size = handle
    if offset + size >= len(file):
        raise ValueError(f"a block ends at byte {offset + size} of {len(file)}")
    if file[offset + size]:
        raise ValueError("a block is compressed")
    block = file[offset : offset + size]
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    end, position, key = size - 4 * (restarts + 1), 0, b""
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + length]
        position += length


def _fields(message: bytes) -> dict[int, list[int | bytes]]:
    """Fields of a protocol buffer message: number -> values."""
    fields: dict[int, list[int | bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value: int | bytes
        if tag & 7 == _VARINT:
            value, position = _varint(message, position)
        elif tag & 7 == _BYTES:
            length, position = _varint(message, position)
            value, position = message[position : position + length], position + length
        elif tag & 7 in (_FIXED32, _FIXED64):
            width = 4 if tag & 7 == _FIXED32 else 8
            value, position = message[position : position + width], position + width
        else:
            raise ValueError(f"a field has wire type {tag & 7}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: dict[int, list[int | bytes]], number: int) -> int:
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {number} is no number")
    return value


def _messages(fields: dict[int, list[int | bytes]], number: int) -> list[bytes]:
    values = fields.get(number, [])
    if not all(isinstance(value, bytes) for value in values):
        raise ValueError(f"field {number} is no message")
    return [value for value in values if isinstance(value, bytes)]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
