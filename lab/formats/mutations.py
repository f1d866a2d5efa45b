"""Ways in which files come to harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

_HEADER = 400  # bytes in which most of what decoders believe stands
_WORDS = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)

Random = np.random.Generator


def damaged(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Damage a file in one way or several.

    Parameters
    ----------
    content : bytes
    others : sequence of bytes
        Files of the same format, with other rates and channels.
    random : numpy.random.Generator
        Chooses.

    Returns
    -------
    bytes
        At least one byte.
    """
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        mutation = _MUTATIONS[int(random.integers(len(_MUTATIONS)))]
        content = mutation(content, others, random) or content
    return content


def _flip_bits(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    return _flipped(content, len(content), int(random.integers(1, 64)), random)


def _flip_header_bits(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    return _flipped(content, min(len(content), _HEADER), int(random.integers(1, 8)), random)


def _flipped(content: bytes, reach: int, count: int, random: Random) -> bytes:
    changed = bytearray(content)
    for place in random.integers(0, reach, count):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _lie(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    """Put a word that is hard to believe where a size may be."""
    changed = bytearray(content)
    size = int(random.choice([1, 2, 4, 4, 8]))
    reach = _HEADER if random.random() < 0.7 else len(content)
    at = int(random.integers(0, max(min(reach, len(content)) - size, 1)))
    word = int(_WORDS[random.integers(len(_WORDS))]) & ((1 << 8 * size) - 1)
    changed[at : at + size] = word.to_bytes(size, "big" if random.random() < 0.5 else "little")
    return bytes(changed)


def _cut(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    return content[: int(random.integers(1, len(content) + 1))]


def _remove(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin, end = _range(content, random)
    return content[:begin] + content[end:]


def _repeat(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin, end = _range(content, random)
    return content[:end] + content[begin:end] * int(random.integers(1, 4)) + content[end:]


def _overwrite(content: bytes, _: Sequence[bytes], random: Random) -> bytes:
    begin, end = _range(content, random)
    length = end - begin
    fills = (bytes(length), b"\xff" * length, random.bytes(length))
    return content[:begin] + fills[int(random.integers(len(fills)))] + content[end:]


def _join(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    other = others[int(random.integers(len(others)))]
    begin, end = _range(other, random)
    return content + (other if random.random() < 0.5 else other[begin:end])


def _mix(content: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Put the beginning of one file before the rest of another."""
    other = others[int(random.integers(len(others)))]
    at = int(random.integers(0, min(len(content), len(other)) + 1))
    return other[:at] + content[at:]


def _range(content: bytes, random: Random) -> tuple[int, int]:
    begin, end = sorted(int(place) for place in random.integers(0, len(content) + 1, 2))
    if random.random() < 0.5:  # most of a file is sound; small holes are commoner
        end = min(end, begin + int(random.integers(1, 64)))
    return begin, end


_MUTATIONS: tuple[Callable[[bytes, Sequence[bytes], Random], bytes], ...] = (
    _flip_bits, _flip_header_bits, _flip_header_bits, _lie, _lie, _cut, _remove, _repeat,
    _overwrite, _join, _mix,
)  # fmt: skip
