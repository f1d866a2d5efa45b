"""Files that no encoder writes: joined, cut, tagged, streamed; and DSD, for which there is none."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .recipe import Maker, NotMadeError, Recipe, by_ffmpeg, by_program, family

_DSD_RATE = 64 * 44100
_BLOCK = 4096  # bytes of one channel in a DSF file


def handmade() -> Iterator[Recipe]:
    """Give the recipes of this module.

    Yields
    ------
    Recipe
    """
    yield from _joined()
    yield from _tagged()
    yield from _streamed()
    for ending, make in ((".dsf", _write_dsf), (".dff", _write_dff)):
        yield from family(ending[1:], "dsd", ending, make, channels=(1, 2))


def _joined() -> Iterator[Recipe]:
    lame = by_program("lame", "--quiet", "-b", "128", "{in}", "{out}")
    bare = by_program("lame", "--quiet", "-b", "128", "-t", "{in}", "{out}")
    aac = by_ffmpeg("-c:a", "aac", "-f", "adts")
    oggenc = by_program("oggenc", "-Q", "-o", "{out}", "{in}")
    opusenc = by_program("opusenc", "--quiet", "{in}", "{out}")
    flac = by_program("flac", "-s", "--ogg", "-o", "{out}", "{in}")
    wavpack = by_program("wavpack", "-q", "-y", "{in}", "-o", "{out}")
    kinds = (
        ("mp3", "mp3", ".mp3", "joined", lame),
        ("mp3", "mp3", ".mp3", "joined bare", bare),
        ("adts", "aac", ".aac", "joined", aac),
        ("ogg", "vorbis", ".ogg", "chained", oggenc),
        ("ogg", "opus", ".opus", "chained", opusenc),
        ("ogg", "flac", ".oga", "chained", flac),
        ("ac3", "ac3", ".ac3", "joined", by_ffmpeg("-c:a", "ac3", "-f", "ac3")),
        ("mp2", "mp2", ".mp2", "joined", by_ffmpeg("-c:a", "mp2", "-f", "mp2")),
        ("wavpack", "wavpack", ".wv", "joined", wavpack),
    )
    for container, codec, ending, variant, make in kinds:
        for number, parts in enumerate(
            (
                ((44100, 2), (44100, 2)),
                ((44100, 2), (44100, 1)),
                ((44100, 1), (44100, 2)),
                ((48000, 2), (32000, 2)),
                ((32000, 1), (48000, 2), (44100, 1)),
            )
        ):
            name = f"{variant} {number}: " + " ".join(f"{rate}x{count}" for rate, count in parts)
            rate, count = parts[0]
            yield Recipe(container, codec, name, ending, rate, count, _joining(make), parts=parts)


def _joining(make: Maker) -> Maker:
    def joined(recipe: Recipe, path: Path) -> None:
        content = b""
        for rate, channels in recipe.parts:
            content += _content(make, replace(recipe, rate=rate, channels=channels, parts=()))
        path.write_bytes(content)

    return joined


def _tagged() -> Iterator[Recipe]:
    tag = _id3_tag(30_000)
    flac = by_program("flac", "-s", "-f", "--channel-map=none", "-o", "{out}", "{in}")
    lame = by_program("lame", "--quiet", "-b", "128", "{in}", "{out}")
    wav = by_ffmpeg("-c:a", "pcm_s16le")
    aac = by_ffmpeg("-c:a", "aac")
    yield from family("flac", "flac", ".flac", _before(tag, flac), "behind ID3", channels=(1, 2, 6))
    yield from family("mp3", "mp3", ".mp3", _before(tag, lame), "behind ID3 with picture")
    yield from family("mp3", "mp3", ".mp3", _before(tag + tag, lame), "behind two ID3")
    yield from family("mp3", "mp3", ".mp3", _before(bytes(5000), lame), "behind zeros")
    yield from family("mp3", "mp3", ".mp3", _after(_ape_tag(), lame), "before an APE tag")
    yield from family("adts", "aac", ".aac", _before(tag, aac), "behind ID3")
    yield from family("wav", "pcm_s16le", ".wav", _before(tag, wav), "behind ID3")
    yield from family("wav", "pcm_s16le", ".wav", _after(tag, wav), "before ID3")
    copy = ("-ss", "0.4", "-c", "copy")
    for container, codec, ending, name in (
        ("mp4", "aac", ".m4a", "aac"), ("ogg", "vorbis", ".ogg", "libvorbis"),
        ("ogg", "opus", ".opus", "libopus"), ("mp3", "mp3", ".mp3", "libmp3lame"),
        ("matroska", "opus", ".mka", "libopus"), ("webm", "opus", ".webm", "libopus"),
    ):  # fmt: skip
        cut = _copied(by_ffmpeg("-c:a", name), *copy)
        rate = 48000 if codec == "opus" else 44100
        for recipe in family(container, codec, ending, cut, "cut", rates=(rate,)):
            yield replace(recipe, cut=0.4)


def _streamed() -> Iterator[Recipe]:
    """Give files that were written into a pipe: their headers do not know how long they are."""
    for container, codec, ending, form, name in (
        ("wav", "pcm_s16le", ".wav", "wav", "pcm_s16le"),
        ("flac", "flac", ".flac", "flac", "flac"),
        ("caf", "pcm_s16le", ".caf", "caf", "pcm_s16le"),
        ("au", "pcm_s16be", ".au", "au", "pcm_s16be"),
        ("mp3", "mp3", ".mp3", "mp3", "libmp3lame"),
        ("aiff", "pcm_s16be", ".aiff", "aiff", "pcm_s16be"),
        ("matroska", "opus", ".mka", "matroska", "libopus"),
        ("w64", "pcm_s16le", ".w64", "w64", "pcm_s16le"),
        ("tta", "tta", ".tta", "tta", "tta"),
        ("wavpack", "wavpack", ".wv", "wv", "wavpack"),
        ("asf", "wmav2", ".wma", "asf", "wmav2"),
    ):
        maker = by_program(
            "sh", "-c", f"ffmpeg -v error -i {{in}} -c:a {name} -f {form} - | cat >{{out}}"
        )
        rate = 48000 if codec == "opus" else 44100
        yield from family(container, codec, ending, maker, "streamed", rates=(rate,))


def _content(make: Maker, recipe: Recipe) -> bytes:
    with tempfile.TemporaryDirectory(prefix="formats-") as folder:
        path = Path(folder, "part" + recipe.ending)
        make(recipe, path)
        return path.read_bytes()


def _changed(make: Maker, change: Callable[[bytes], bytes]) -> Maker:
    def changed(recipe: Recipe, path: Path) -> None:
        path.write_bytes(change(_content(make, recipe)))

    return changed


def _before(prefix: bytes, make: Maker) -> Maker:
    return _changed(make, lambda content: prefix + content)


def _after(suffix: bytes, make: Maker) -> Maker:
    return _changed(make, lambda content: content + suffix)


def _copied(make: Maker, *arguments: str) -> Maker:
    """Let ffmpeg copy a file's packets into a new one."""

    def copied(recipe: Recipe, path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="formats-") as folder:
            whole = Path(folder, "whole" + recipe.ending)
            make(recipe, whole)
            begin = ["ffmpeg", "-v", "error", "-y", *arguments[:2], "-i", str(whole)]
            done = subprocess.run(
                [*begin, *arguments[2:], str(path)], capture_output=True, check=False
            )
            if done.returncode:
                raise NotMadeError(done.stderr.decode(errors="replace").strip()[-200:])

    return copied


def _id3_tag(size: int) -> bytes:
    """Make an ID3v2 tag with a picture of noise, which may look like frames of MPEG audio."""
    noise = np.random.default_rng(3).integers(0, 256, size, dtype=np.uint8).tobytes()
    picture = b"\0image/jpeg\0\x03\0" + noise
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    length = len(frame)
    sync_safe = bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + sync_safe + frame


def _ape_tag() -> bytes:
    value = b"title of the track"
    item = struct.pack("<II", len(value), 0) + b"Title\0" + value
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, 0) + bytes(8)
    return item + footer


def _bits(recipe: Recipe) -> list[NDArray[np.uint8]]:
    """Turn the sound into one bit at 64 times the rate, channel by channel."""
    return [_sigma_delta(channel.astype(np.float64) * 0.75) for channel in recipe.sound.T]


def _sigma_delta(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Modulate in the second order, many pieces of the signal at once."""
    times = 64
    length = len(samples) * times
    fine = np.interp(np.arange(length) / times, np.arange(len(samples)), samples)
    pieces = 1050
    columns = fine[: length // pieces * pieces].reshape(pieces, -1)
    first, second = np.zeros(pieces), np.zeros(pieces)
    out = np.empty(columns.shape, dtype=np.uint8)
    for step in range(columns.shape[1]):
        bit = second >= 0
        back = np.where(bit, 1.0, -1.0)
        first += columns[:, step] - back
        second += first - back
        out[:, step] = bit
    return out.reshape(-1)


def _write_dsf(recipe: Recipe, path: Path) -> None:
    channels = [np.packbits(bits, bitorder="little").tobytes() for bits in _bits(recipe)]
    count = len(channels[0]) * 8
    padded = [c + bytes(-len(c) % _BLOCK) for c in channels]
    data = b"".join(
        c[begin : begin + _BLOCK] for begin in range(0, len(padded[0]), _BLOCK) for c in padded
    )
    form = struct.pack(
        "<QIIIIIIQII", 52, 1, 0, len(channels), len(channels), _DSD_RATE, 1, count, _BLOCK, 0
    )
    head = b"DSD " + struct.pack("<QQQ", 28, 28 + 52 + 12 + len(data), 0)
    path.write_bytes(head + b"fmt " + form + b"data" + struct.pack("<Q", 12 + len(data)) + data)


def _write_dff(recipe: Recipe, path: Path) -> None:
    channels = [np.packbits(bits) for bits in _bits(recipe)]
    data = np.stack(channels, axis=1).tobytes()
    names = b"".join((b"SLFT", b"SRGT") if len(channels) == 2 else (b"C000",))
    prop = b"SND " + _chunk(b"FS  ", struct.pack(">I", _DSD_RATE))
    prop += _chunk(b"CHNL", struct.pack(">H", len(channels)) + names)
    prop += _chunk(b"CMPR", b"DSD \x0enot compressed\0")
    body = _chunk(b"FVER", bytes((1, 5, 0, 0))) + _chunk(b"PROP", prop) + _chunk(b"DSD ", data)
    path.write_bytes(_chunk(b"FRM8", b"DSD " + body))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">Q", len(content)) + content + bytes(len(content) % 2)
