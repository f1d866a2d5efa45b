"""What a file is said to be, who reads it, and that its samples are right."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_bytes import changed_page, granule, mp3_frames, ogg_pages
from audio_fixtures import music
from essentia_maest import _core

ROOT = Path(__file__).parents[2]
STEP = 1 / 32768

# libsndfile's format, subtype and byte order; then container and codec as we call them
KNOWN = [
    ("WAV", "PCM_16", "FILE", "wav", "pcm_s16le"),
    ("WAV", "PCM_U8", "FILE", "wav", "pcm_u8"),
    ("WAV", "FLOAT", "FILE", "wav", "pcm_f32le"),
    ("WAV", "ULAW", "FILE", "wav", "pcm_mulaw"),
    ("WAV", "IMA_ADPCM", "FILE", "wav", "adpcm_ima_wav"),
    ("WAVEX", "PCM_24", "FILE", "wav", "pcm_s24le"),
    ("WAV", "PCM_24", "BIG", "rifx", "pcm_s24be"),
    ("RF64", "PCM_16", "FILE", "rf64", "pcm_s16le"),
    ("W64", "PCM_16", "FILE", "w64", "pcm_s16le"),
    ("AIFF", "PCM_16", "FILE", "aiff", "pcm_s16be"),
    ("AIFF", "PCM_16", "LITTLE", "aifc", "pcm_s16le"),
    ("AIFF", "DOUBLE", "FILE", "aifc", "pcm_f64be"),
    ("AU", "PCM_24", "FILE", "au", "pcm_s24be"),
    ("AU", "PCM_16", "LITTLE", "au", "pcm_s16le"),
    ("CAF", "PCM_16", "FILE", "caf", "pcm_s16be"),
    ("CAF", "PCM_16", "LITTLE", "caf", "pcm_s16le"),
    ("CAF", "ALAC_16", "FILE", "caf", "alac"),
    ("FLAC", "PCM_24", "FILE", "flac", "flac"),
    ("OGG", "VORBIS", "FILE", "ogg", "vorbis"),
    ("OGG", "OPUS", "FILE", "ogg", "opus"),
    ("MP3", "MPEG_LAYER_III", "FILE", "mpeg", "mp3"),
    ("VOC", "PCM_16", "FILE", "voc", ""),
    ("NIST", "PCM_16", "FILE", "nist", ""),
    ("SVX", "PCM_16", "FILE", "svx", "pcm_s16be"),
    ("IRCAM", "PCM_16", "FILE", "ircam", ""),
    ("AVR", "PCM_16", "FILE", "avr", ""),
    ("PAF", "PCM_16", "FILE", "paf", ""),
]

FOREIGN = [
    (b"\x89PNG\r\n\x1a\n" + bytes(100), "image (PNG)"),
    (b"PK\3\4" + bytes(100), "ZIP"),
    (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    (b"these are words and no music\n" * 50, "text"),
    (bytes(10000), "zeros"),
    (b"Extended Instrument: " + bytes(range(256)) * 40, "tracker (XI)"),
    (b"MThd\0\0\0\6" + bytes(50), "MIDI"),
    (b"ID3\4\0\0\0\0\0\x0a" + bytes(10), "tags"),
]


def write(path: Path, sound: np.ndarray, rate: int, *form: str) -> Path:
    kind, subtype, endian = form
    soundfile.write(path, sound, rate, format=kind, subtype=subtype, endian=endian)
    return path


def read(path: Path) -> np.ndarray:
    with maest.AudioFile(path) as file:
        return file.read()


def monoloader(path: Path) -> np.ndarray:
    import essentia.standard as es

    return es.MonoLoader(filename=str(path), sampleRate=16000, resampleQuality=4)()


def made(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("known", KNOWN, ids="-".join)
def test_a_file_is_told_by_its_bytes(tmp_path, known):
    kind, subtype, endian, container, codec = known
    channels = 1 if kind == "SVX" else 2
    rate = 48000 if codec == "opus" else 44100
    sound = music(0.5, rate, channels)
    path = write(tmp_path / "without-an-ending", sound, rate, kind, subtype, endian)
    found = _core.identify(str(path))
    assert (found.container, found.codec, found.foreign) == (container, codec, "")
    assert not found.cut
    if found.promised >= 0 and codec.startswith("pcm_"):
        assert found.promised == len(sound)
    if found.rate:
        assert found.rate == rate
    assert len(_core.route_of(found).readers) > 0
    # What is read is what was written; lossy codecs come near.
    samples = read(path)
    exact = codec.startswith("pcm_s") or codec in ("alac", "flac", "")
    reference = write(tmp_path / "reference", sound, rate, "WAV", "PCM_16", "FILE")
    expected = read(reference)[: len(samples)]
    samples = samples[: len(expected)]
    assert len(samples) > 7900
    if exact:
        assert np.abs(samples - expected).max() < 1.1 * STEP
    else:
        assert np.corrcoef(samples, expected)[0, 1] > 0.9


@pytest.mark.parametrize(("data", "words"), FOREIGN)
def test_what_is_no_audio_is_named(tmp_path, data, words):
    path = made(tmp_path / "song.mp3", data)
    found = _core.identify(str(path))
    assert found.container == ""
    assert words in found.foreign
    with pytest.raises(maest.errors.AudioFileError, match=re.escape(words)):
        maest.load_audio(path)


@pytest.mark.parametrize("form", [("CAF", "PCM_16", "FILE"), ("WAV", "PCM_16", "BIG")])
@pytest.mark.parametrize("gain", [1.0, 0.001])
def test_no_decoder_takes_samples_for_mpeg(tmp_path, form, gain):
    """CAF came out as garbage and RIFX as noise: they begin with bytes like those of mp3 frames."""
    for seed in range(5):
        sound = music(1, 44100, 2, seed) * gain
        expected = read(write(tmp_path / "same.wav", sound, 44100, "WAV", "PCM_16", "FILE"))
        np.testing.assert_array_equal(read(write(tmp_path / "x", sound, 44100, *form)), expected)


@pytest.fixture(scope="module")
def mp3s(tmp_path_factory) -> dict[str, bytes]:
    """Sound as mp3: name -> bytes, each a list of frames that begins with LAME's own."""
    folder = tmp_path_factory.mktemp("mp3")
    found = {}
    for name, rate, channels, mode, level in [
        ("stereo", 44100, 2, "CONSTANT", 0.5),
        ("vbr", 44100, 2, "VARIABLE", 0.3),
        ("mono", 44100, 1, "CONSTANT", 0.3),
    ]:
        path = folder / name
        soundfile.write(
            path,
            music(3, rate, channels),
            rate,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=level,
            bitrate_mode=mode,
        )
        data = path.read_bytes()
        found[name] = data[data.index(b"\xff") :]
    return found


def _without_info(data: bytes) -> bytes:
    return b"".join(mp3_frames(data)[1:])


def _without_lame(data: bytes) -> bytes:
    info, *frames = mp3_frames(data)
    return b"".join([info.replace(b"LAME", b"XXXX").replace(b"Lavc", b"XXXX"), *frames])


def _ape(data: bytes) -> bytes:
    footer = b"APETAGEX" + struct.pack("<IIII", 2000, 132, 1, 0) + bytes(8)
    return data + bytes(100) + footer + b"TAG" + bytes(125)


MP3_CHANGES = {
    "as it is": lambda data: data,
    "ID3 in front": lambda data: b"ID3\4\0\0\0\0\7\x68" + bytes(1000) + data,
    "tags behind": _ape,
    "no info": _without_info,
    "no LAME": _without_lame,
    "cut in a frame": lambda data: data[: len(data) // 2 + 5],
    "cut, no info": lambda data: _without_info(data)[: len(data) // 3],
    "zeros behind": lambda data: data + bytes(3000),
    "two, no info": lambda data: _without_info(data) * 2,
}


@pytest.mark.parametrize("change", MP3_CHANGES)
@pytest.mark.parametrize("name", ["stereo", "vbr", "mono"])
def test_mp3_is_monoloaders(tmp_path, capfd, mp3s, name, change):
    """Never shifted, never shorter, and within one step of 16 bits, whoever decodes it."""
    path = made(tmp_path / "song.mp3", MP3_CHANGES[change](mp3s[name]))
    capfd.readouterr()
    with maest.AudioFile(path) as file:
        samples = file.read()
        assert file.decoder.startswith("libsndfile")
        assert file.ending == ("complete" if "cut" not in change else file.ending)
        if change == "cut in a frame":
            assert file.ending == "truncated"
    assert capfd.readouterr().err == ""  # mpg123 complains on stderr if it is let
    expected = monoloader(path)
    assert len(samples) == len(expected)
    assert np.abs(samples - expected).max() <= 1.01 * STEP


@pytest.mark.parametrize("change", ["as it is", "no info", "no LAME"])
def test_seeking_in_mp3_is_exact(tmp_path, mp3s, change):
    path = made(tmp_path / "song.mp3", MP3_CHANGES[change](mp3s["stereo"]))
    whole = read(path)
    with maest.AudioFile(path) as file:
        for second in (2.0, 0.5, 1.7312, 0.01, 2.9):
            file.seek(second)
            start = round(second * 16000)
            np.testing.assert_array_equal(file.read(2000), whole[start : start + 2000])


@pytest.mark.parametrize(
    ("first", "second", "seconds"), [("stereo", "mono", 6), ("mono", "stereo", 6)]
)
def test_an_mp3_that_changes_is_heard_as_what_it_is(tmp_path, mp3s, first, second, seconds):
    both = _without_info(mp3s[first]) + _without_info(mp3s[second])
    path = made(tmp_path / "song.mp3", both)
    with maest.AudioFile(path) as file:
        samples = file.read()
        assert "FFmpeg" in file.decoder
    assert abs(len(samples) / 16000 - seconds) < 0.2
    alone = read(made(tmp_path / "first.mp3", _without_info(mp3s[first])))
    half = len(alone) // 2
    assert np.abs(samples[:half] - alone[:half]).max() <= 1.01 * STEP


@pytest.fixture(scope="module")
def opus(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("opus") / "song.opus"
    write(path, music(3, 48000, 2), 48000, "OGG", "OPUS", "FILE")
    return path.read_bytes()


def _late(pages: list[bytes]) -> list[bytes]:
    """All positions later, as where a song was cut out of a longer one."""
    return pages[:2] + [changed_page(page, granule(page) + 62400) for page in pages[2:]]


def _small_positions(pages: list[bytes]) -> list[bytes]:
    """A page in the middle says less than there is: what libsndfile refuses."""
    first = changed_page(pages[2], granule(pages[2]) - 500)
    return [*pages[:2], first, *pages[3:]]


def _spoilt_tags(pages: list[bytes]) -> list[bytes]:
    return [pages[0], pages[1], b"junk" * 500, *pages[2:]]


@pytest.mark.parametrize("change", [_late, _small_positions, _spoilt_tags])
def test_opus_reads_whole_whatever_its_positions(tmp_path, opus, change):
    expected = read(made(tmp_path / "as-made.opus", opus))
    assert abs(len(expected) - 48000) <= 2
    samples = read(made(tmp_path / "changed.opus", b"".join(change(ogg_pages(opus)))))
    np.testing.assert_array_equal(samples[:40000], expected[:40000])
    assert abs(len(samples) - len(expected)) <= 700


def test_opus_is_libsndfiles_where_that_reads_it(tmp_path, opus):
    path = made(tmp_path / "song.opus", opus)
    whole, rate = soundfile.read(path, dtype="float32")
    assert rate == 48000
    reference = tmp_path / "same.wav"
    soundfile.write(reference, whole, rate, subtype="FLOAT")
    np.testing.assert_array_equal(read(path), read(reference))


def test_damaged_opus_gives_what_is_there(tmp_path, opus):
    pages = ogg_pages(opus)
    middle = len(pages) // 2
    spoilt = bytearray(pages[middle])
    spoilt[100] ^= 0xFF
    damaged = b"".join([*pages[:middle], bytes(spoilt), *pages[middle + 1 :]])
    with maest.AudioFile(made(tmp_path / "song.opus", damaged)) as file:
        samples = file.read()
        assert file.ending in ("damaged", "truncated")
        assert "pages" in file.damage
    assert 16000 < len(samples) < 48000


@pytest.mark.parametrize("codec", ["OPUS", "VORBIS"])
def test_streams_that_follow_each_other_are_all_heard(tmp_path, codec):
    parts = []
    alone = []
    for seed, channels in ((1, 2), (2, 1), (3, 2)):
        path = tmp_path / f"{seed}.ogg"
        write(path, music(1, 48000, channels, seed), 48000, "OGG", codec, "FILE")
        parts.append(path.read_bytes())
        alone.append(len(read(path)))
    # The last one has the first one's number.
    parts[2] = parts[0]
    path = made(tmp_path / "all.ogg", b"".join(parts))
    assert _core.identify(str(path)).chained
    assert abs(len(read(path)) - sum(alone)) <= 3


def test_cut_files_are_told(tmp_path):
    for form in [("WAV", "PCM_16", "FILE"), ("AIFF", "PCM_16", "FILE"), ("CAF", "PCM_16", "FILE")]:
        path = write(tmp_path / form[0], music(1, 44100), 44100, *form)
        data = path.read_bytes()
        cut = _core.identify(str(made(path, data[: len(data) // 2])))
        assert cut.cut
        assert cut.promised == 44100
