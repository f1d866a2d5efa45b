"""Ogg files that are the same bytes whenever they are made."""

from __future__ import annotations

import struct
import zlib

from training.errors import DataError

_CAPTURE = b"OggS"
_SERIAL, _CHECKSUM, _SEGMENTS, _TABLE = 14, 22, 26, 27
_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def with_serial_number(data: bytes, serial: int) -> bytes:
    """Give an Ogg file's one stream a serial number; libsndfile draws it by the clock.

    Parameters
    ----------
    data : bytes
        The file: one stream, whole pages.
    serial : int
        0 to 2**32 - 1.

    Returns
    -------
    bytes
        The file, its checksums made anew.

    Raises
    ------
    DataError
        It is no Ogg file, or is cut short.
    """
    pages = []
    start = 0
    while start < len(data):
        table = start + _TABLE
        if not data.startswith(_CAPTURE, start) or len(data) < table:
            raise DataError(f"byte {start}: found {data[start : start + 4]!r}, wanted an Ogg page")
        body = table + data[start + _SEGMENTS]
        end = body + sum(data[table:body])
        if len(data) < max(body, end):
            raise DataError(f"the Ogg page at byte {start} is cut short")
        page = bytearray(data[start:end])
        struct.pack_into("<I", page, _SERIAL, serial)
        struct.pack_into("<I", page, _CHECKSUM, 0)
        struct.pack_into("<I", page, _CHECKSUM, _checksum(bytes(page)))
        pages.append(bytes(page))
        start = end
    if not pages:
        raise DataError("found 0 bytes, wanted an Ogg file")
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """Compute Ogg's CRC: zlib's polynomial, bits in the other order, nothing inverted."""
    reversed_bits = zlib.crc32(page.translate(_BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_bits:032b}"[::-1], 2)
