"""Essentia's FFmpeg, called by the engine: MonoLoader's samples, faster, of more files."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import FORMATS, wav_header, write_audio
from essentia_maest import _core
from essentia_maest.decoding.libraries import use_libraries
from ffmpeg_files import convert, decoded, opened, parts, write

essentia = pytest.importorskip("essentia")

# ending, options of the ffmpeg program
CONVERTED = [
    ("m4a", "-c:a aac -b:a 96k"),
    ("m4a", "-c:a aac -ar 48000 -ac 1"),
    ("m4a", "-c:a alac"),
    ("m4a", "-c:a alac -sample_fmt s32p"),
    ("aac", "-c:a aac"),
    ("mp2", "-c:a mp2"),
    ("mp3", "-c:a libmp3lame -q:a 2"),
    ("mp3", "-c:a libmp3lame -b:a 64k -ac 1 -write_xing 0"),
    ("ogg", "-c:a flac"),
    ("mka", "-c:a flac"),
    ("mka", "-c:a libmp3lame"),
    ("wma", "-c:a wmav2"),
    ("wv", "-c:a wavpack"),
    ("tta", "-c:a tta"),
    ("ac3", "-c:a ac3"),
    ("avi", "-c:a pcm_s16le"),
    ("wav", "-c:a pcm_alaw"),
]


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    use_libraries()


def mono_loader(path: Path, rate: int) -> np.ndarray:
    import essentia.standard

    loader = essentia.standard.MonoLoader
    return loader(filename=str(path), sampleRate=rate, resampleQuality=4)()


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: "-".join(map(str, form)))
def test_samples_are_monoloaders(tmp_path, form):
    ending, subtype, rate, channels = form
    path = write(tmp_path, ending, subtype, rate, channels)
    source = opened(path)
    assert (source.rate, source.channels) == (rate, channels)
    assert source.decoder.startswith("FFmpeg ")
    np.testing.assert_array_equal(decoded(path), mono_loader(path, rate))


@pytest.mark.parametrize(("ending", "options"), CONVERTED)
def test_samples_of_converted_files_are_monoloaders(tmp_path, ending, options):
    song = write(tmp_path, "wav", "PCM_16")
    path = convert(song, tmp_path / f"converted.{ending}", *options.split())
    np.testing.assert_array_equal(decoded(path), mono_loader(path, opened(path).rate))
    assert opened(path).damage() == ""


@pytest.mark.parametrize(("ending", "subtype"), [("flac", "PCM_16"), ("wav", "PCM_24")])
def test_more_channels_are_averaged(tmp_path, ending, subtype):
    path = write(tmp_path, ending, subtype, 44100, 6)
    samples, _ = soundfile.read(path, dtype="float32")
    mean = np.sum(samples, axis=1, dtype=np.float64) / 6
    np.testing.assert_array_equal(decoded(path), mean.astype(np.float32))


def joined(folder: Path, *songs: Path) -> Path:
    path = folder / f"joined{songs[0].suffix}"
    path.write_bytes(b"".join(song.read_bytes() for song in songs))
    return path


def test_a_stereo_mp3_may_go_on_in_mono(tmp_path):
    # MonoLoader crashes there.
    stereo = write(tmp_path / "stereo", "mp3", "MPEG_LAYER_III", 44100, 2)
    mono = write(tmp_path / "mono", "mp3", "MPEG_LAYER_III", 44100, 1)
    both = decoded(joined(tmp_path, stereo, mono))
    first, second = decoded(stereo), decoded(mono)
    np.testing.assert_array_equal(both[: len(first)], first)
    # The second one's own silence at both ends is heard too: only the first says how much it is.
    middle = slice(20000, 25000)
    rest = both[len(first) :]
    assert len(second) <= len(rest) <= len(second) + 4 * 1152
    apart = [np.abs(rest[k:][middle] - second[middle]).max() for k in range(4 * 1152)]
    assert min(apart) < 1e-3


@pytest.mark.parametrize(("first_rate", "second_rate"), [(22050, 44100), (44100, 16000)])
def test_an_mp3_may_change_its_rate(tmp_path, first_rate, second_rate):
    first = write(tmp_path / "first", "mp3", "MPEG_LAYER_III", first_rate, 2)
    second = write(tmp_path / "second", "mp3", "MPEG_LAYER_III", second_rate, 2)
    found = parts(opened(joined(tmp_path, first, second)))
    assert [rate for rate, _ in found] == [first_rate, second_rate]
    for (rate, samples), song in zip(found, (first, second), strict=True):
        assert len(decoded(song)) <= len(samples) <= len(decoded(song)) + 4 * 1152, rate


def test_ogg_streams_may_follow_each_other(tmp_path):
    first = write(tmp_path / "first", "ogg", "VORBIS", 44100, 2)
    second = write(tmp_path / "second", "ogg", "VORBIS", 22050, 1)
    (rate, begin), (other, end) = parts(opened(joined(tmp_path, first, second)))
    assert (rate, other) == (44100, 22050)
    np.testing.assert_array_equal(begin[: len(decoded(first))], decoded(first))
    alone = decoded(second)  # its end is cut by the newer generation, but not behind another
    late = len(end) - len(alone)
    assert any(np.array_equal(end[k : k + len(alone)], alone) for k in range(late + 1))


def test_flac_streams_in_ogg_may_follow_each_other(tmp_path):
    songs = []
    for name in ("first", "second"):
        song = write(tmp_path / name, "wav", "PCM_16")
        songs.append(convert(song, tmp_path / name / "song.ogg", "-c:a", "flac"))
    path = joined(tmp_path, *songs)
    np.testing.assert_array_equal(decoded(path), np.concatenate([decoded(each) for each in songs]))
    with maest.AudioFile(path) as file:
        file.read()
        assert (file.ending, file.damage) == ("complete", None)


def test_the_end_of_a_realmedia_file_is_no_damage(tmp_path):
    song = write(tmp_path, "wav", "PCM_16")
    path = convert(song, tmp_path / "a.rm", "-c:a", "real_144", "-ac", "1", "-ar", "8000")
    with maest.AudioFile(path) as file:
        assert len(file.read()) > 1.4 * 16000
        assert (file.ending, file.damage) == ("complete", None)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["-b:a 64k", "-q:a 4"])
def test_mp3_of_24_khz_is_monoloaders(tmp_path, channels, mode):
    song = write(tmp_path, "wav", "PCM_16", 24000, channels)
    path = convert(song, tmp_path / "a.mp3", "-c:a", "libmp3lame", *mode.split())
    with maest.AudioFile(path) as file:
        assert file.decoder.startswith("FFmpeg")
        found = file.read()
    np.testing.assert_array_equal(found, mono_loader(path, 16000))


def test_floats_in_w64_are_floats(tmp_path):
    song = write(tmp_path, "wav", "FLOAT")
    path = convert(song, tmp_path / "a.w64", "-c:a", "pcm_f32le")
    # libsndfile takes them for integers, and is not believed.
    if importlib.util.find_spec("av") is None:
        with pytest.raises(maest.AudioFileError, match="PyAV"):
            maest.load_audio(path)
        return
    found = maest.load_audio(path)
    np.testing.assert_array_equal(found, maest.load_audio(song))


SEEKABLE = [
    ("wav", "PCM_U8", 22050, 1),
    ("wav", "PCM_16", 44100, 2),
    ("wav", "PCM_24", 48000, 3),
    ("wav", "DOUBLE", 22050, 1),
    ("wav", "ULAW", 8000, 1),
    ("aiff", "PCM_16", 44100, 2),
    ("au", "PCM_24", 32000, 1),
    ("flac", "PCM_16", 44100, 2),
    ("flac", "PCM_24", 88200, 1),
]


def check_seeks(path: Path) -> None:
    whole = decoded(path)
    source = opened(path)
    end = len(whole)
    places = [0, 1, 4095, 4096, end // 2, end - 1, end, end + 10000, end // 3, 0]
    for place in [*places, *np.random.default_rng(0).integers(0, end, 30)]:
        assert source.seek(int(place))
        samples, _ = source.next()
        assert len(samples) == min(8192, max(end - place, 0))
        np.testing.assert_array_equal(samples, whole[place : place + len(samples)])
    assert not source.seek(-1)


@pytest.mark.parametrize("form", SEEKABLE, ids=lambda form: "-".join(map(str, form)))
def test_seeking_is_exact(tmp_path, form):
    check_seeks(write(tmp_path, *form))


def test_seeking_in_alac_is_exact(tmp_path):
    song = write(tmp_path, "wav", "PCM_16")
    check_seeks(convert(song, tmp_path / "song.m4a", "-c:a", "alac"))


FLOATS = [form for form in SEEKABLE if form[1] in ("FLOAT", "DOUBLE")]


@pytest.mark.parametrize("form", FLOATS, ids=lambda form: "-".join(map(str, form)))
def test_what_may_be_no_number_is_not_skipped(tmp_path, form):
    assert opened(write(tmp_path, *form)).skip(1000) == 0


@pytest.mark.parametrize(
    "form",
    [form for form in SEEKABLE if form not in FLOATS],
    ids=lambda form: "-".join(map(str, form)),
)
def test_skipping_is_exact(tmp_path, form):
    path = write(tmp_path, *form)
    whole = decoded(path)
    source = opened(path)
    place = skipped = 0
    rng = np.random.default_rng(0)
    while True:
        samples, _ = source.next()
        if len(samples) == 0:
            break
        np.testing.assert_array_equal(samples, whole[place : place + len(samples)])
        wanted = int(rng.integers(0, 9000))
        count = source.skip(wanted)
        place += len(samples) + count
        assert count == wanted or place == len(whole)
        skipped += count
    assert place == len(whole)
    assert skipped > 0
    assert opened(path).skip(10**12) == len(whole)


@pytest.mark.parametrize("form", [("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS")])
def test_what_depends_on_what_was_before_is_decoded(tmp_path, form):
    path = write(tmp_path, *form)
    source = opened(path)
    first, _ = source.next()
    assert not source.seek(0)
    assert source.skip(5000) == 0
    second, _ = source.next()
    np.testing.assert_array_equal(
        np.concatenate([first, second]), decoded(path)[: len(first) + len(second)]
    )


def test_a_cut_flac_promises_more_than_it_has(tmp_path):
    path = write(tmp_path, "flac", "PCM_16")
    whole = decoded(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = decoded(path)
    assert opened(path).promised == len(whole)
    assert 0.3 * len(whole) < len(found) < 0.7 * len(whole)
    np.testing.assert_array_equal(found, whole[: len(found)])


def test_damage_is_left_out_and_told(tmp_path):
    path = write(tmp_path, "flac", "PCM_16")
    whole = decoded(path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    source = opened(path)
    assert source.damage() == ""
    ((_, found),) = parts(source)
    assert "frame is damaged" in source.damage()
    assert 0.5 * len(whole) < len(found) <= len(whole)
    np.testing.assert_array_equal(found[-10000:], whole[-10000:])


def test_tags_after_the_sound_are_no_damage(tmp_path):
    path = write(tmp_path, "mp3", "MPEG_LAYER_III")
    sound = decoded(path)
    tag = b"TAG" + b"a title".ljust(125, b"\0")
    path.write_bytes(path.read_bytes() + b"APETAGEX" + bytes(3000) + tag)
    source = opened(path)
    ((_, found),) = parts(source)
    assert source.damage() == ""
    np.testing.assert_array_equal(found[: len(sound)], sound)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.mp3", b"these are words and no music\n" * 500, "cannot (open|decode)|no audio"),
        ("none.wav", wav_header(0, 2, 44100, 0), "no audio samples|cannot open it"),
        ("rate.wav", wav_header(0, 3, 0, 600) + bytes(600), "cannot (open|decode)"),
        ("head.flac", b"fLaC\0\0\0\x22" + bytes(34), "no audio samples|cannot decode"),
        ("zeros.ogg", bytes(10000), "cannot open it"),
    ],
)
def test_what_is_no_sound_is_refused_in_words(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(maest.AudioFileError, match=words):
        opened(path)


def test_the_demuxer_is_not_guessed(tmp_path):
    path = write(tmp_path, "flac", "PCM_16")
    with pytest.raises(maest.AudioFileError, match="cannot open it"):
        _core.open_ffmpeg(str(path), "wav")
    with pytest.raises(maest.AudioFileError, match="has no demuxer 'caf'"):
        _core.open_ffmpeg(str(path), "caf")
    with pytest.raises(maest.AudioFileError, match="has no decoder opus"):
        _core.open_ffmpeg(str(path), "flac", "opus")


def test_names_are_only_names(tmp_path, monkeypatch):
    path = write(tmp_path, "flac", "PCM_16")
    for name in ("http:", "concat:a|b", "pipe:0", "%03d", "\udcff\udcfe"):
        copy = tmp_path / f"{name}.flac"
        shutil.copy(path, copy)
        monkeypatch.chdir(tmp_path)
        source = _core.open_ffmpeg(bytes(Path(copy.name)), "flac")
        assert len(parts(source)[0][1]) == len(decoded(path))
    with pytest.raises(maest.AudioFileError, match="not a regular file"):
        _core.open_ffmpeg(str(tmp_path), "flac")
    with pytest.raises(maest.AudioFileError, match="No such file"):
        _core.open_ffmpeg(str(tmp_path / "none.flac"), "flac")


def test_nothing_is_said_on_standard_error(tmp_path, capfd):
    import essentia.standard  # noqa: F401  # which lets FFmpeg speak

    path = write(tmp_path, "ogg", "VORBIS")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :: 97] = bytes(len(data[len(data) // 2 :: 97]))
    path.write_bytes(data)
    parts(opened(path))
    assert capfd.readouterr().err == ""


def test_threads_decode_beside_essentia(tmp_path):
    songs = [
        write(tmp_path / ending, ending, subtype)
        for ending, subtype in (("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("flac", "PCM_16"))
    ]
    wanted = [decoded(song) for song in songs]
    wrong: list[str] = []

    def decode(turn: int) -> None:
        for i in range(turn, turn + 20):
            if not np.array_equal(decoded(songs[i % 3]), wanted[i % 3]):
                wrong.append(songs[i % 3].name)

    threads = [threading.Thread(target=decode, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for song, samples in zip(songs, wanted, strict=True):
            np.testing.assert_array_equal(mono_loader(song, 44100), samples)
    assert wrong == []


_MEMORY = """
import sys
from pathlib import Path
from essentia_maest import AudioFile

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

before = None
for path in sys.argv[1:]:
    with AudioFile(path) as file:
        samples = sum(map(len, file))
    growth, before = peak() - (before or 0), peak()
print(samples, growth)
"""


def test_a_size_that_a_file_claims_takes_no_memory(tmp_path):
    whole = convert(write_audio(tmp_path / "a.wav", 20.0), tmp_path / "a.mka", "-c:a", "libmp3lame")
    data = bytearray(whole.read_bytes())
    blocks = [
        at
        for at in range(len(data) - 4)
        if data[at] == 0xA3 and data[at + 1] >> 6 == 1 and data[at + 3] == 0x81
    ]
    middle = blocks[len(blocks) // 2]
    data[middle : middle + 5] = b"\xa3" + (0x10000000 | 200 << 20).to_bytes(4, "big")
    damaged = tmp_path / "damaged.mka"
    damaged.write_bytes(data)
    command = [sys.executable, "-c", _MEMORY, whole, damaged]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    samples, kilobytes = map(int, done.stdout.split())
    assert samples > 10 * 16000
    assert kilobytes < 20_000
