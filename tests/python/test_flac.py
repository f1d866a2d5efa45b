"""Native FLAC, of which the engine finds the frames: whole files, odd ones and damaged ones."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import music
from essentia_maest import AudioFile, _core, load_audio
from essentia_maest.decoding.libraries import use_libraries
from ffmpeg_files import convert, decoded, opened, parts
from lab.formats.mutations import damaged

RATES = (8000, 22050, 44100, 48000, 96000, 192000)
ID3 = b"ID3\4\0\0\0\0\7\x68" + bytes(1000)


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    use_libraries()


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("flac") / "song.flac"
    soundfile.write(path, music(3.0, 44100, 2), 44100)
    return path.read_bytes()


def made(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def mono_loader(path: Path, rate: int) -> np.ndarray:
    standard = pytest.importorskip("essentia.standard")
    return standard.MonoLoader(filename=str(path), sampleRate=rate)()


def frame_starts(data: bytes) -> list[int]:
    """Of a file of 44.1 kHz, stereo, 16 bits, in blocks of 4096."""
    return [
        at
        for at in range(len(data) - 4)
        if data[at : at + 3] == b"\xff\xf8\xc9" and data[at + 3] in (0x18, 0x88, 0x98, 0xA8)
    ]


@pytest.mark.parametrize("bits", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("rate", RATES)
def test_samples_are_what_was_encoded(tmp_path, rate, bits):
    for channels in (1, 2, 6):
        path = tmp_path / f"{channels}.flac"
        soundfile.write(path, music(0.7, rate, channels), rate, subtype=bits)
        found = decoded(path)
        if channels <= 2:
            np.testing.assert_array_equal(found, mono_loader(path, rate))
        samples = soundfile.read(path, dtype="float32", always_2d=True)[0]
        mean = np.sum(samples, axis=1, dtype=np.float64) / channels
        np.testing.assert_allclose(found, mean, rtol=0, atol=1e-7)
        assert opened(path).damage() == ""


@pytest.mark.parametrize("options", ["-frame_size 192", "-frame_size 1000", "-frame_size 16384",
                                     "-compression_level 12", "-af volume=0", "-af volume=30dB",
                                     "-sample_fmt s32 -af volume=10dB"])  # fmt: skip
def test_blocks_of_any_size_are_found(tmp_path, song, options):
    path = convert(made(tmp_path / "a.flac", song), tmp_path / "b.flac", *options.split())
    np.testing.assert_array_equal(decoded(path), mono_loader(path, 44100))
    assert opened(path).damage() == ""


def picture(song: bytes) -> bytes:
    rng = np.random.default_rng(0)
    block = b"\x06" + (300000).to_bytes(3, "big") + rng.bytes(300000)
    return song[:42] + block + song[42:]


AROUND = {
    "ID3 in front": lambda song: ID3 + song,
    "a picture": picture,
    "ID3 behind": lambda song: song + b"TAG" + bytes(125),
    "zeros behind": lambda song: song + bytes(200000),
    "junk behind": lambda song: song + np.random.default_rng(1).bytes(5000),
    "another": lambda song: song + song,
    "another with a tag": lambda song: song + ID3 + song,
    "another with a picture": lambda song: song + picture(song),
}


@pytest.mark.parametrize("kind", AROUND)
def test_what_stands_around_frames_is_no_damage(tmp_path, song, kind):
    whole = decoded(made(tmp_path / "song.flac", song))
    path = made(tmp_path / "around.flac", AROUND[kind](song))
    found = decoded(path)
    assert len(found) == len(whole) * (2 if "another" in kind else 1)
    np.testing.assert_array_equal(found, np.tile(whole, len(found) // len(whole)))
    with AudioFile(path) as file:
        file.read()
        assert (file.ending, file.damage) == ("complete", None)


def test_one_bit_is_enough_to_be_told(tmp_path, song):
    whole = decoded(made(tmp_path / "song.flac", song))
    data = bytearray(song)
    starts = frame_starts(song)
    data[(starts[9] + starts[10]) // 2] ^= 1
    path = made(tmp_path / "bit.flac", bytes(data))
    found = decoded(path)
    np.testing.assert_array_equal(found[: 9 * 4096], whole[: 9 * 4096])
    np.testing.assert_array_equal(found[-19 * 4096 :], whole[-19 * 4096 :])
    with AudioFile(path) as file:
        file.read()
        assert file.damage.startswith("1 frame is damaged")
        assert file.ending in ("damaged", "truncated")


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_lost_header_costs_its_frame(tmp_path, song, place):
    whole = decoded(made(tmp_path / "song.flac", song))
    starts = frame_starts(song)
    which = int(place * len(starts))
    data = bytearray(song)
    data[starts[which]] = 0
    path = made(tmp_path / "lost.flac", bytes(data))
    found = decoded(path)
    # The frame before it seems to go on.
    wanted = np.delete(whole, np.arange(which * 4096, (which + 1) * 4096))
    np.testing.assert_array_equal(found, wanted)
    source = opened(path)
    parts(source)
    assert source.damage() != ""


def test_places_in_a_damaged_file_are_those_of_reading_it(tmp_path, song):
    data = bytearray(song)
    for start in frame_starts(song)[3:30:4]:
        data[start + 300 : start + 340] = bytes(40)
    path = made(tmp_path / "holes.flac", bytes(data))
    whole = decoded(path)
    source = opened(path)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole) - 8192, 40):
        assert source.seek(int(place))
        samples, _ = source.next()
        np.testing.assert_array_equal(samples, whole[place : place + len(samples)])


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model("default")


@pytest.mark.parametrize("seed", range(6))
def test_damage_that_nobody_hears_moves_nothing(tmp_path, model, seed):
    """What is left out counts as it does in reading: a frame that is lost there is lost here."""
    path = tmp_path / "long.flac"
    soundfile.write(path, music(33.3, 44100, 2), 44100)
    data = bytearray(path.read_bytes())
    starts = frame_starts(bytes(data))
    rng = np.random.default_rng(seed)
    for start in rng.choice(starts[5:-5], 8, replace=False):
        place = start if seed % 2 else start + int(rng.integers(20, 2000))
        data[place : place + 30] = rng.bytes(30)
    path.write_bytes(data)
    found = model.analyze_file(path, outputs=["embeddings"], patchout="F4T10", block=1)
    wanted = model.embed(load_audio(path), patchout="F4T10", block=1)
    np.testing.assert_array_equal(found.embeddings, wanted)
    assert found.ending in ("damaged", "truncated")


def test_damaged_files_end_soon(tmp_path, song):
    """FFmpeg 2.8's parser does not end on some of them."""
    rng = np.random.default_rng(0)
    six = tmp_path / "six.flac"
    soundfile.write(six, music(0.4, 44100, 6), 44100)
    songs = [song, six.read_bytes()]
    path = tmp_path / "damaged.flac"
    endings = set()
    for turn in range(200):
        path.write_bytes(damaged(songs[turn % 2], songs, rng))
        started = time.perf_counter()
        try:
            with AudioFile(path) as file:
                file.read()
                endings.add(file.ending)
        except maest.AudioFileError:
            endings.add("refused")
        assert time.perf_counter() - started < 5
    assert endings >= {"complete", "damaged", "truncated"}


def checksum_of_header(header: bytes) -> int:
    value = 0
    for byte in header:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (7 if value & 0x80 else 0)) & 0xFF
    return value


@pytest.mark.parametrize("distance", [11, 5000, 300000])
def test_headers_without_frames_end_soon(tmp_path, song, distance):
    """Each promises eight channels of 65536 samples of 24 bits."""
    header = b"\xff\xf8\x79\x7c\x00\xff\xff"
    header += bytes([checksum_of_header(header)])
    data = song[:42] + header.ljust(distance, b"\1") * (6_000_000 // distance)
    path = made(tmp_path / "headers.flac", data)
    started = time.perf_counter()
    with pytest.raises(maest.AudioFileError):
        opened(path)
    assert time.perf_counter() - started < 5


def test_what_has_no_head_is_refused(tmp_path, song):
    for data in (song[:30], b"fLaC" + song[42:], song[frame_starts(song)[0] :]):
        with pytest.raises(maest.AudioFileError, match="STREAMINFO"):
            _core.open_ffmpeg(str(made(tmp_path / "a.flac", data)), "flac")
