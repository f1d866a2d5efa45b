"""Audio files taken to pieces and put together otherwise: Ogg's pages, the frames of an mp3."""

from __future__ import annotations

import struct

_POLYNOMIAL = 0x04C11DB7


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_CHECKSUMS = _table()


def ogg_pages(data: bytes) -> list[bytes]:
    """Split an Ogg file into its pages."""
    pages = []
    at = 0
    while at < len(data):
        segments = data[at + 26]
        size = 27 + segments + sum(data[at + 27 : at + 27 + segments])
        pages.append(data[at : at + size])
        at += size
    return pages


def granule(page: bytes) -> int:
    """Return a page's position."""
    return struct.unpack_from("<q", page, 6)[0]


def changed_page(page: bytes, position: int | None = None, flags: int | None = None) -> bytes:
    """Give a page another position or other flags, and the checksum that it needs then."""
    changed = bytearray(page)
    if position is not None:
        struct.pack_into("<q", changed, 6, position)
    if flags is not None:
        changed[5] = flags
    changed[22:26] = bytes(4)
    value = 0
    for byte in changed:
        value = (value << 8 & 0xFFFFFFFF) ^ _CHECKSUMS[value >> 24 ^ byte]
    struct.pack_into("<I", changed, 22, value)
    return bytes(changed)


def mp3_frames(data: bytes) -> list[bytes]:
    """Split an mp3 (layer 3, no tags in front of it) into its frames."""
    frames = []
    at = 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        word = int.from_bytes(data[at : at + 4], "big")
        version = word >> 19 & 3
        rate = (44100, 48000, 32000)[word >> 10 & 3] // (1 if version == 3 else 2)
        kilobits = (
            (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
            if version == 3
            else (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
        )[word >> 12 & 15]
        size = (144 if version == 3 else 72) * kilobits * 1000 // rate + (word >> 9 & 1)
        frames.append(data[at : at + size])
        at += size
    return frames
