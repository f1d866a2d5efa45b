"""AudioFile: pieces, places, endings, threads, and who decodes."""

from __future__ import annotations

import ctypes
import gc
import logging
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import FORMATS, promise_more_flac_samples, wav_header, write_audio
from essentia_maest import AudioFile, AudioFileError, InvalidArgumentError, _core, load_audio
from essentia_maest.decoding import opening, pyav
from essentia_maest.decoding.libraries import essentia_library, sndfile_library
from essentia_maest.decoding.pyav_memory import MemoryLimit

MORE_FORMATS = [
    ("opus", None, 48000, 2),
    ("opus", None, 24000, 1),
    ("caf", "PCM_16", 16000, 1),
    ("wav", "PCM_16", 22050, 6),
    ("flac", "PCM_16", 48000, 6),
]


def silent_wav(path: Path, seconds: int, rate: int = 44100) -> Path:
    """A WAV file of nothing, which takes no room on the disk."""
    size = seconds * rate * 4
    with open(path, "wb") as file:
        file.write(wav_header(0, 2, rate, size))
        file.truncate(44 + size)
    return path


@pytest.mark.parametrize(("ending", "subtype", "rate", "channels"), FORMATS + MORE_FORMATS)
def test_pieces_and_places_are_those_of_the_whole(tmp_path, ending, subtype, rate, channels):
    path = write_audio(tmp_path / f"a.{ending}", 5.3, rate, channels, subtype)
    whole = load_audio(path)
    assert len(whole) > 5 * 16000
    # libmpg123 adds in another order after it has sought.
    tolerance = 1e-7 if ending == "mp3" else 0
    with AudioFile(path) as file:
        pieces = []
        while (piece := file.read(7001)).size:
            assert len(piece) <= 7001
            pieces.append(piece)
        np.testing.assert_array_equal(np.concatenate(pieces), whole)
        assert file.position == len(whole) / 16000
        for start in (0.0, 3.25, 1.1, 1.1, 5.2, 0.0625):
            file.seek(start)
            assert file.position == start
            first = round(start * 16000)
            np.testing.assert_allclose(
                file.read(3000), whole[first : first + 3000], rtol=0, atol=tolerance
            )
        file.seek(1.0)
        np.testing.assert_allclose(
            np.concatenate(list(file)), whole[16000:], rtol=0, atol=tolerance
        )
        assert file.ending == "complete"
        assert file.seconds_found == len(whole) / 16000


@pytest.mark.parametrize(("ending", "subtype", "rate", "channels"), FORMATS + MORE_FORMATS)
def test_facts_are_those_of_the_file(tmp_path, ending, subtype, rate, channels):
    path = write_audio(tmp_path / f"a.{ending}", 4.0, rate, channels, subtype)
    with AudioFile(path) as file:
        assert file.path == path
        containers = {"aiff": "aiff", "mp3": "mpeg", "opus": "ogg"}
        assert file.container == containers.get(ending, ending)
        assert file.codec
        assert file.decoder.startswith(("FFmpeg ", "libsndfile "))
        assert file.sample_rate == (48000 if ending == "opus" else rate)
        assert file.channels == channels
        assert file.seconds is None or file.seconds == pytest.approx(4, abs=0.06)
        assert (file.ending, file.seconds_found, file.damage) == (None, None, None)
        assert file.codec in repr(file)


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "caf", "w64", "flac"])
def test_what_is_shorter_than_promised_is_truncated(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 4.0, subtype="PCM_16")
    whole = load_audio(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with AudioFile(path) as file:
        part = file.read()
        assert file.ending == "truncated"
        assert file.seconds_promised == pytest.approx(4, abs=0.01)
        assert file.seconds_found == len(part) / 16000
        assert 1.5 < file.seconds_found < 2.5
    np.testing.assert_array_equal(part, whole[: len(part)])


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3"])
def test_what_breaks_off_is_truncated(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 4.0, 48000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with AudioFile(path) as file:
        part = file.read()
        assert 0.5 < len(part) / 16000 < 3
        assert file.ending == "truncated"


def test_a_wav_cut_in_a_sample_is_not_damaged(tmp_path):
    path = write_audio(tmp_path / "a.wav", 1.0)
    path.write_bytes(path.read_bytes()[:-10001])
    with AudioFile(path) as file:
        file.read()
        assert (file.ending, file.damage) == ("truncated", None)


def test_a_last_frame_that_is_spoilt_is_missing(tmp_path):
    path = write_audio(tmp_path / "a.flac", 3.0)
    data = bytearray(path.read_bytes())
    data[-500] ^= 1
    path.write_bytes(data)
    with AudioFile(path) as file:
        part = file.read()
        assert 3.0 - 4096 / 44100 - 0.001 <= len(part) / 16000 < 3.0
        assert (file.ending, file.damage) == ("truncated", "the last frame is not whole")


@pytest.mark.parametrize("size", [14, 25, 36, 43])
def test_a_wav_without_samples_says_so(tmp_path, size):
    path = write_audio(tmp_path / "a.wav", 1.0)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(AudioFileError, match=r"ends before its samples begin: it has no chunk"):
        AudioFile(path)


@pytest.mark.parametrize("frames", [1, 100, 1151, 1152, 1153, 4095, 4096, 4097, 44100, 100000])
@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "opus"])
def test_whole_files_of_any_length_are_complete(tmp_path, ending, frames):
    rate = 48000 if ending == "opus" else 44100
    path = write_audio(tmp_path / f"a.{ending}", frames / rate, rate)
    with AudioFile(path) as file:
        file.read()
        assert (file.ending, file.damage) == ("complete", None)


def test_header_that_promises_days_is_told(tmp_path):
    path = write_audio(tmp_path / "days.flac")
    promise_more_flac_samples(path)
    with AudioFile(path) as file:
        assert file.seconds > 86400
        assert len(file.read()) == 16001
        assert file.ending == "truncated"


def test_past_the_end_is_the_end(tmp_path):
    path = write_audio(tmp_path / "a.wav", 2.0)
    with AudioFile(path) as file:
        file.seek(1000.0)
        assert file.read(10).size == 0
        assert (file.ending, file.seconds_found) == ("complete", file.position)
        file.seek(0.5)
        np.testing.assert_array_equal(file.read(), load_audio(path)[8000:])


@pytest.mark.parametrize("seconds", [-1, float("nan"), 1e12])
def test_places_that_are_none_are_refused(tmp_path, seconds):
    with (
        AudioFile(write_audio(tmp_path / "a.wav")) as file,
        pytest.raises(InvalidArgumentError, match="seconds is"),
    ):
        file.seek(seconds)


def test_a_closed_file_says_so(tmp_path):
    with AudioFile(write_audio(tmp_path / "a.wav")) as file:
        pass
    with pytest.raises(InvalidArgumentError, match="closed"):
        file.read()
    assert "closed" in repr(file)


@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg", "wav"])
def test_other_threads_run_while_a_file_is_decoded(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 60.0)
    load_audio(path)
    turns, ended = 0, threading.Event()

    def count() -> None:
        nonlocal turns
        while not ended.is_set():
            time.sleep(0.0005)
            turns += 1

    counting = threading.Thread(target=count)
    counting.start()
    started = time.perf_counter()
    load_audio(path)
    elapsed = time.perf_counter() - started
    ended.set()
    counting.join()
    # MonoLoader gives a turn or none at all.
    assert turns >= 3
    assert turns > elapsed / 0.02


def test_threads_that_share_a_file_get_each_sample_once(tmp_path):
    path = write_audio(tmp_path / "a.flac", 30.0)
    whole = load_audio(path)
    pieces: list[np.ndarray] = []
    with AudioFile(path) as file:

        def take() -> None:
            while (piece := file.read(1000)).size:
                pieces.append(piece)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = {whole[begin : begin + 1000].tobytes() for begin in range(0, len(whole), 1000)}
    assert {piece.tobytes() for piece in pieces} == expected
    assert sum(map(len, pieces)) == len(whole)


def test_decoding_can_be_interrupted(tmp_path):
    path = silent_wav(tmp_path / "long.wav", 3 * 3600, 96000)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        started = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            load_audio(path)
        assert time.perf_counter() - started < 1.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = silent_wav(tmp_path / "long.wav", 2 * 3600)
    program = (
        "import resource, sys; import essentia_maest as maest\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with maest.AudioFile(sys.argv[1]) as file:\n"
        "    samples = len(file.read(16000)); before = most()\n"
        "    samples += sum(len(piece) for piece in file)\n"
        "    print(samples, most() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    samples, kilobytes = map(int, done.stdout.split())
    assert samples == pytest.approx(2 * 3600 * 16000, abs=16)
    assert kilobytes < 10_000


def test_the_file_that_is_read_is_the_one_that_was_opened(tmp_path):
    path = write_audio(tmp_path / "a.wav", 5.0)
    whole = load_audio(path)
    with AudioFile(path) as file:
        path.unlink()
        np.testing.assert_array_equal(file.read(), whole)


def test_libraries_are_found_without_importing_what_they_belong_to(tmp_path):
    path = write_audio(tmp_path / "a.flac")
    program = (
        "import sys; import essentia_maest as maest\n"
        "maest.load_audio(sys.argv[1])\n"
        "print([name for name in ('essentia', 'soundfile', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert essentia_library() is not None
    assert sndfile_library() is not None


def test_mono_loader_is_the_last_resort(tmp_path, monkeypatch):
    path = write_audio(tmp_path / "a.flac", 3.0)
    whole = load_audio(path)

    def refuse(_: bytes) -> None:
        raise AudioFileError("no reader")

    monkeypatch.setattr(opening._core, "AudioFile", refuse)
    monkeypatch.setattr(opening, "find_spec", lambda _: None)
    with pytest.raises(AudioFileError, match="no reader"):
        load_audio(path)
    monkeypatch.setattr(opening._core, "ffmpeg_version", lambda: "")
    file = opening.open_reader(path)
    assert file.decoder == "MonoLoader of Essentia"
    np.testing.assert_array_equal(file.read(1000), whole[:1000])
    file.seek(16000)
    np.testing.assert_array_equal(file.read(-1), whole[16000:])
    assert (file.ending, file.found) == ("complete", len(whole))
    path.write_bytes(b"fLaC" + bytes(100))
    with pytest.raises(AudioFileError, match=r"a\.flac: .*no reader"):
        opening.open_reader(path)


def test_py_av_decodes_as_the_engine_does(tmp_path):
    pytest.importorskip("av")
    for ending, subtype, rate, channels in FORMATS:
        if ending in ("ogg", "mp3"):
            continue
        path = write_audio(tmp_path / f"a.{ending}", 2.0, rate, channels, subtype)
        reader = pyav.PyAvReader(str(path), _core.identify(str(path).encode()))
        np.testing.assert_array_equal(reader.read(1000), load_audio(path)[:1000])
        reader.seek(500)
        np.testing.assert_array_equal(reader.read(-1), load_audio(path)[500:])
        assert (reader.ending, reader.damage, reader.channels) == ("complete", "", channels)
        assert reader.sample_rate == rate


def test_py_av_decodes_opus_by_its_own_library(tmp_path):
    """FFmpeg's own decoder is further off where the bit rate is low."""
    av = pytest.importorskip("av")
    if "libopus" not in av.codecs_available:
        pytest.skip("this PyAV is without libopus")
    for channels in (1, 2):
        path = write_audio(tmp_path / f"{channels}.opus", 2.0, 48000, channels)
        reader = pyav.PyAvReader(str(path), _core.identify(str(path).encode()))
        found, wanted = reader.read(-1), load_audio(path)
        assert len(found) == len(wanted)
        # To what floats of another build make of it.
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
        assert (reader.ending, reader.damage) == ("complete", "")
        reader.seek(0)
        np.testing.assert_array_equal(reader.read(-1), found)


def test_py_av_tells_of_truncated_files(tmp_path):
    pytest.importorskip("av")
    path = write_audio(tmp_path / "a.flac", 4.0)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    reader = pyav.PyAvReader(str(path), _core.identify(str(path).encode()))
    assert 1.5 * 16000 < len(reader.read(-1)) < 2.5 * 16000
    assert reader.ending == "truncated"


def test_who_decodes_is_logged(tmp_path, caplog):
    path = write_audio(tmp_path / "a.flac")
    with caplog.at_level(logging.DEBUG, "essentia_maest"):
        decoder = AudioFile(path).decoder
    assert caplog.messages == [f"{path}: flac in flac, decoded by {decoder}"]


def test_pyav_takes_no_more_than_a_file_could_need(tmp_path):
    av_core = pytest.importorskip("av._core")
    library = ctypes.CDLL(av_core.__file__)
    library.av_malloc.argtypes, library.av_malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.av_free.argtypes, library.av_free.restype = [ctypes.c_void_p], None

    def takes(megabytes: int) -> bool:
        found = library.av_malloc(megabytes << 20)
        library.av_free(found)
        return found is not None

    path = write_audio(tmp_path / "a.wav", 2.0)
    reader = pyav.PyAvReader(str(path), _core.identify(str(path).encode()))
    assert takes(32)
    assert not takes(100)
    larger = MemoryLimit(str(write_audio(tmp_path / "b.wav", 60.0)))
    assert takes(100)
    del larger
    assert not takes(100)
    del reader
    gc.collect()
    assert takes(100)
    assert _core.ffmpeg_memory_limit(1 << 20) == 80 << 20
