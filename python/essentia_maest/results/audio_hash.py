"""What of a file is audio: a hash that stays when tags, cover or name change."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from io import BufferedReader

_PIECE = 1 << 17  # stays in the cache between reading and hashing
_HASH_DIGITS = 32  # 128 bits tell all files apart

Ranges = list[tuple[int, int]]


def audio_hash(path: str | os.PathLike[str]) -> str:
    """Hash a file without its tags.

    Left out are ID3v1, ID3v2, Lyrics3 and APE tags of any file; FLAC's metadata but what the
    stream is; MP4's boxes but ``mdat``; the comments of Ogg streams, and how they are cut into
    pages; the chunks of RIFF and AIFF but those of format and samples. Of other containers the
    whole file counts.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    str
        32 hexadecimal digits, the first of a SHA-256, which processors compute fastest.

    Raises
    ------
    OSError
        It cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in _audio_of(file):
            digest.update(piece)
    return digest.hexdigest()[:_HASH_DIGITS]


def _audio_of(file: BufferedReader) -> Iterator[bytes | memoryview]:
    size = os.fstat(file.fileno()).st_size
    begin, end = _without_tags(file, size)
    first = _read(file, begin, 12)
    if first[:4] == b"OggS":
        streams = _ogg_streams(file, begin, end)
        if streams is not None:
            yield from streams
            return
    ranges: Ranges = []
    if first[:4] == b"fLaC":
        ranges = _flac(file, begin, end)
    elif first[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        ranges = _mp4(file, begin, end)
    elif first[:4] in (b"RIFF", b"RF64", b"RIFX", b"FORM"):
        ranges = _chunks(file, begin, end, first)
    for start, stop in ranges or [(begin, end)]:
        yield from _pieces(file, start, stop)


def _read(file: BufferedReader, begin: int, count: int) -> bytes:
    file.seek(begin)
    return file.read(count)


def _pieces(file: BufferedReader, begin: int, end: int) -> Iterator[memoryview]:
    """Read pieces into the same memory: each holds until the next is asked for."""
    file.seek(begin)
    room = memoryview(bytearray(max(0, min(_PIECE, end - begin))))
    while begin < end and (count := file.readinto(room[: end - begin])):
        begin += count
        yield room[:count]


def _without_tags(file: BufferedReader, size: int) -> tuple[int, int]:
    """Leave out tags that stand before or after anything."""
    begin, end = 0, size
    while (head := _read(file, begin, 10))[:3] == b"ID3" and len(head) == 10:
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        begin += 10 + length + (10 if head[5] & 0x10 else 0)
    begin = min(begin, size)
    while (shorter := _without_last_tag(file, begin, end)) < end:
        end = shorter
    return begin, end


def _without_last_tag(file: BufferedReader, begin: int, end: int) -> int:
    if end - begin >= 128 and _read(file, end - 128, 3) == b"TAG":
        return end - 128
    tail = _read(file, max(begin, end - 32), min(32, end - begin))
    if tail[:8] == b"APETAGEX" and len(tail) == 32:
        length, _, flags = struct.unpack("<III", tail[12:24])
        whole = length + (32 if flags & 0x80000000 else 0)
        return end - whole if 32 <= whole <= end - begin else end
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        whole = int(tail[-15:-9]) + 15
        return end - whole if whole <= end - begin else end
    return end


def _flac(file: BufferedReader, begin: int, end: int) -> Ranges:
    place, ranges = begin + 4, []
    while len(head := _read(file, place, 4)) == 4:
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 0:
            ranges.append((place + 4, min(place + 4 + length, end)))
        place += 4 + length
        if head[0] & 0x80:
            return [*ranges, (place, end)] if place < end else []
    return []


def _mp4(file: BufferedReader, begin: int, end: int) -> Ranges:
    place, ranges = begin, []
    while len(head := _read(file, place, 16)) >= 8 and place < end:
        length, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            length, header = struct.unpack(">Q", head[8:])[0], 16
        elif length == 0:
            length = end - place
        if length < header:
            return []
        if kind == b"mdat":
            ranges.append((place + header, min(place + length, end)))
        place += length
    return ranges


def _chunks(file: BufferedReader, begin: int, end: int, first: bytes) -> Ranges:
    order, kept = "<", (b"fmt ", b"data")
    if first[:4] == b"FORM":
        order, kept = ">", (b"COMM", b"SSND")
    elif first[:4] == b"RIFX":
        order = ">"
    place, ranges = begin + 12, []
    long_data = None  # of RF64, whose chunk of samples does not tell its length
    while len(head := _read(file, place, 8)) == 8 and place < end:
        kind, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        if kind == b"ds64" and len(told := _read(file, place + 8, 16)) == 16:
            long_data = struct.unpack("<QQ", told)[1]
        if kind == b"data" and length == 0xFFFFFFFF:
            length = end - place - 8 if long_data is None else long_data
        if kind in kept:
            ranges.append((place + 8, min(place + 8 + length, end)))
        place += 8 + length + (length & 1)
    return ranges if any(stop > start for start, stop in ranges) else []


class _OggStream:
    """One logical stream: what its packets hold, its comments left out."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self._packet = 0
        self._begin = b""
        self._kind = b""
        self._headers_over = False

    def page(self, lacing: bytes, body: bytes) -> None:
        if self._headers_over:
            self.digest.update(body)
            return
        place = 0
        for number, length in enumerate(lacing):
            self._take(body[place : place + length])
            place += length
            if length < 255:
                self._end_packet()
                if self._headers_over:
                    self.digest.update(body[place : place + sum(lacing[number + 1 :])])
                    return

    def _take(self, piece: bytes) -> None:
        if not self._begin:
            self._begin = piece[:8]
            if self._packet == 0:
                self._kind = self._begin
        if not self._is_comment():
            self.digest.update(piece)

    def _is_comment(self) -> bool:
        if self._kind.startswith(b"\x7fFLAC"):
            return self._packet > 0 and self._begin[:1] != b"\xff"
        return self._packet == 1

    def _end_packet(self) -> None:
        if self._kind.startswith(b"\x7fFLAC"):
            # The last block of metadata says so; audio begins with a frame's sync code.
            self._headers_over = self._packet > 0 and (
                self._begin[:1] == b"\xff" or bool(self._begin[:1] and self._begin[0] & 0x80)
            )
        else:
            self._headers_over = self._packet == 1
        self._packet += 1
        self._begin = b""


def _ogg_streams(file: BufferedReader, begin: int, end: int) -> list[bytes] | None:
    """Hash the packets of each stream; None where the pages do not follow each other."""
    streams: dict[int, _OggStream] = {}
    done: list[bytes] = []
    place = begin
    file.seek(begin)
    while place < end:
        head = file.read(27)
        if len(head) < 27 or head[:4] != b"OggS":
            if not done and not streams:
                return None
            rest = hashlib.sha256(head)
            for piece in _pieces(file, place + len(head), end):
                rest.update(piece)
            done.append(rest.digest())
            break
        serial = int.from_bytes(head[14:18], "little")
        lacing = file.read(head[26])
        body = file.read(sum(lacing))
        if head[5] & 2 and serial in streams:  # a stream of the same number begins: a chained file
            done.append(streams.pop(serial).digest.digest())
        streams.setdefault(serial, _OggStream()).page(lacing, body)
        place += 27 + len(lacing) + len(body)
    return [*done, *(stream.digest.digest() for stream in streams.values())]
