"""Bytes that changed: what disks, networks and attackers do to a file."""

from __future__ import annotations

import random

_INTERESTING = (
    b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\xff" * 8, b"\x01" + bytes(7),
)  # fmt: skip


def damaged(content: bytes, chance: random.Random, head: int = 4096) -> bytes:
    """Damage a file in one to four ways.

    Parameters
    ----------
    content : bytes
        The file.
    chance : random.Random
        Which ways, and where.
    head : int
        The first bytes, which tell how the rest is read, are hit as often as all others.

    Returns
    -------
    bytes
    """
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(_WAYS)(data, chance, _place(data, chance, head))
    return bytes(data)


def _place(data: bytearray, chance: random.Random, head: int) -> int:
    """Choose where: near the beginning, near the end, or anywhere."""
    if not data:
        return 0
    size = len(data)
    where = chance.randrange(4)
    if where < 2:
        return chance.randrange(min(head, size))
    return chance.randrange(max(0, size - head), size) if where == 2 else chance.randrange(size)


def _flip(data: bytearray, chance: random.Random, at: int) -> None:
    for _ in range(chance.choice((1, 1, 3, 20))):
        if data:
            place = min(len(data) - 1, at + chance.randrange(64))
            data[place] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random, at: int) -> None:
    value = chance.choice(_INTERESTING)
    data[at : at + len(value)] = value


def _cut(data: bytearray, chance: random.Random, at: int) -> None:
    del data[at:]


def _remove(data: bytearray, chance: random.Random, at: int) -> None:
    del data[at : at + chance.choice((1, 2, 17, 512, 4096))]


def _insert(data: bytearray, chance: random.Random, at: int) -> None:
    data[at:at] = chance.randbytes(chance.choice((1, 2, 17, 512, 4096)))


def _repeat(data: bytearray, chance: random.Random, at: int) -> None:
    data[at:at] = data[at : at + chance.choice((1, 16, 512, 20000))]


def _zero(data: bytearray, chance: random.Random, at: int) -> None:
    size = min(len(data) - at, chance.choice((4, 64, 512, 4096)))
    data[at : at + size] = bytes(size)


def _move(data: bytearray, chance: random.Random, at: int) -> None:
    size = min(len(data) - at, chance.choice((4, 64, 4096)))
    piece = bytes(data[at : at + size])
    del data[at : at + size]
    to = chance.randrange(len(data) + 1)
    data[to:to] = piece


_WAYS = (_flip, _flip, _flip, _set, _set, _cut, _remove, _insert, _repeat, _zero, _move)
