"""The hash of the audio: tags change, it stays; samples change, it changes."""

from __future__ import annotations

import hashlib
import io
import os
import wave
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TIT2
from mutagen.mp4 import MP4
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from audio_fixtures import music
from essentia_maest.results.audio_hash import audio_hash

COVER = os.urandom(100_000)  # more than a page of Ogg, and than any padding


def tag_id3(path: Path) -> None:
    tags = ID3()
    tags.add(TIT2(encoding=3, text="new"))
    tags.add(APIC(encoding=3, mime="image/png", type=3, desc="c", data=COVER))
    tags.save(path, v1=2)


def tag_ape(path: Path) -> None:
    tags = APEv2()
    tags["Title"] = "new"
    tags.save(path)


def tag_flac(path: Path) -> None:
    file = FLAC(path)
    file["title"] = "new"
    picture = Picture()
    picture.data = COVER
    file.add_picture(picture)
    file.save()


def tag_with(kind):
    def tag(path: Path) -> None:
        file = kind(path)
        if file.tags is None:
            file.add_tags()
        if kind in (AIFF, WAVE):
            file.tags.add(TIT2(encoding=3, text="new" * 1000))
        elif kind is MP4:
            file.tags["\xa9nam"] = "new" * 1000
        else:
            file["title"] = "new"
            file["metadata_block_picture"] = COVER.hex()
        file.save()

    return tag


CASES = {
    "mp3 id3": ("a.mp3", tag_id3),
    "mp3 ape": ("a.mp3", tag_ape),
    "flac": ("a.flac", tag_flac),
    "ogg vorbis": ("a.ogg", tag_with(OggVorbis)),
    "ogg opus": ("a.opus", tag_with(OggOpus)),
    "ogg flac": ("a.oga", tag_with(OggFLAC)),
    "wav": ("a.wav", tag_with(WAVE)),
    "aiff": ("a.aiff", tag_with(AIFF)),
    "mp4": ("a.m4a", tag_with(MP4)),
}


def write(path: Path, seed: int) -> None:
    samples = music(4.0, 48000, 1, seed)
    if path.suffix == ".m4a":
        write_mp4(path, samples)
    elif path.suffix == ".oga":
        write_ogg_flac(path, samples)
    elif path.suffix == ".opus":
        soundfile.write(path, samples, 48000, format="OGG", subtype="OPUS")
    else:
        soundfile.write(path, samples, 48000)


def write_mp4(path: Path, samples: np.ndarray) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="mp4") as out:
        write_stream(av, out, "aac", "fltp", samples)


def write_ogg_flac(path: Path, samples: np.ndarray) -> None:
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="ogg") as out:
        write_stream(av, out, "flac", "s16", samples)


def write_stream(av, out, codec: str, kind: str, samples: np.ndarray) -> None:
    stream = out.add_stream(codec, rate=48000, layout="mono")
    values = samples.reshape(1, -1).astype(np.float32)
    if kind == "s16":
        values = (values * 32767).astype(np.int16)
    size = stream.codec_context.frame_size or 4096
    for begin in range(0, values.shape[1], size):
        part = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(values[:, begin : begin + size]), format=kind, layout="mono"
        )
        part.sample_rate = 48000
        part.pts = begin
        out.mux(stream.encode(part))
    out.mux(stream.encode(None))


@pytest.mark.parametrize("case", CASES)
def test_tags_do_not_count_and_samples_do(tmp_path, case):
    name, tag = CASES[case]
    path = tmp_path / name
    write(path, 1)
    before, content = audio_hash(path), path.read_bytes()
    tag(path)
    assert path.read_bytes() != content
    assert mutagen.File(path) is not None
    assert audio_hash(path) == before
    tag(path)
    assert audio_hash(path) == before
    write(path, 2)
    other = audio_hash(path)
    assert other != before
    tag(path)
    assert audio_hash(path) == other


@pytest.mark.parametrize("case", CASES)
def test_any_byte_of_the_samples_counts(tmp_path, case):
    name, _ = CASES[case]
    path = tmp_path / name
    write(path, 1)
    before, content = audio_hash(path), bytearray(path.read_bytes())
    place = content.index(b"mdat") + 100 if name.endswith("m4a") else len(content) // 2
    content[place] ^= 0x55
    path.write_bytes(content)
    assert audio_hash(path) != before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"ID3",
        b"ID3\4\0\0\x7f\x7f\x7f\x7f",
        b"fLaC",
        b"fLaC\xff\xff\xff\xff",
        b"OggS",
        b"OggS" * 20,
        b"RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xffab",
        b"\0\0\0\1ftyp",
        b"\0\0\0\0mdat",
        b"APETAGEX" + b"\xff" * 24,
        b"TAG" + bytes(125),
    ],
)
def test_nonsense_has_a_hash_too(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    assert len(audio_hash(path)) == 32


def test_of_what_has_no_tags_all_bytes_are_hashed_in_order(tmp_path):
    """However it is read: tables of earlier runs have such hashes."""
    content = os.urandom(700_001)
    (tmp_path / "x").write_bytes(content)
    assert audio_hash(tmp_path / "x") == hashlib.sha256(content).hexdigest()[:32]


def test_two_files_of_nonsense_are_not_the_same(tmp_path):
    found = set()
    for number in range(8):
        path = tmp_path / "x"
        path.write_bytes(b"OggS" + bytes([number]) * 100)
        found.add(audio_hash(path))
    assert len(found) == 8


def test_another_rate_is_other_audio(tmp_path):
    found = set()
    for rate in (22050, 44100):
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(bytes(range(200)))
        (tmp_path / "a.wav").write_bytes(buffer.getvalue())
        found.add(audio_hash(tmp_path / "a.wav"))
    assert len(found) == 2
