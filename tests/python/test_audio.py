"""load_audio: MonoLoader's samples, libsndfile where Essentia refuses, and clear errors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import essentia
import essentia.standard
import numpy as np
import pytest
import soundfile

from audio_fixtures import (
    BROKEN,
    FORMATS,
    music,
    promise_more_flac_samples,
    wav_header,
    write_audio,
)
from essentia_maest import load_audio
from essentia_maest.errors import AudioFileError
from essentia_maest.essentia_algorithms import quiet_essentia


def mono_loader(path: Path) -> np.ndarray:
    """Essentia by itself: the oracle. Only for files that it decodes."""
    with quiet_essentia():
        loader = essentia.standard.MonoLoader(
            filename=str(path), sampleRate=16000, resampleQuality=4
        )
        return loader()


def open_handles() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(("ending", "subtype", "rate", "channels"), FORMATS)
def test_equals_mono_loader(tmp_path, ending, subtype, rate, channels):
    path = write_audio(tmp_path / f"a.{ending}", 0.7, rate, channels, subtype)
    audio = load_audio(path)
    assert audio.dtype == np.float32
    assert audio.ndim == 1
    assert abs(len(audio) - 0.7 * 16000) < 0.15 * 16000  # codecs pad by up to a few frames
    assert np.abs(audio).max() > 0.05
    # Another decoder, in floating point; Essentia's is one of 16 bits.
    tolerance = 3.1e-5 if ending == "mp3" else 0
    np.testing.assert_allclose(audio, mono_loader(path), rtol=0, atol=tolerance)


@pytest.mark.parametrize("channels", [1, 2])
def test_opus(tmp_path, channels):
    path = write_audio(tmp_path / "a.opus", 2.0, 48000, channels)
    audio = load_audio(path)

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    with quiet_essentia():
        mono = essentia.standard.MonoMixer()(np.repeat(samples, 3 - channels, axis=1), 2)
        reference = essentia.standard.Resample(
            inputSampleRate=rate, outputSampleRate=16000, quality=4
        )(mono)
    np.testing.assert_array_equal(audio, reference)

    original = music(2.0, 48000, channels).mean(axis=1)[::3]
    assert len(audio) == len(original) + 1  # what Resample gives at this rate
    assert np.corrcoef(audio[:-1], original)[0, 1] > 0.95


@pytest.mark.parametrize("ending", ["w64", "caf"])
def test_what_only_libsndfile_reads_sounds_the_same(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", subtype="PCM_16")
    with pytest.raises(RuntimeError, match="Could not (find stream information|open file)"):
        mono_loader(path)
    wav = write_audio(tmp_path / "a.wav", subtype="PCM_16")
    np.testing.assert_array_equal(load_audio(path), load_audio(wav))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32"])
def test_integers_are_scaled_to_one(tmp_path, subtype):
    path = tmp_path / "square.wav"
    soundfile.write(path, np.tile([0.5, 0.5, -1.0, -1.0], 4000), 16000, subtype=subtype)
    audio = load_audio(path)
    assert audio.min() == -1.0
    assert audio.max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "opus"])
def test_more_than_two_channels_are_averaged(tmp_path, ending):
    path = write_audio(tmp_path / f"surround.{ending}", 1.0, 48000, 6)
    channels, rate = soundfile.read(path, dtype="float64")
    assert channels.shape[1] == 6
    with quiet_essentia():
        reference = essentia.standard.Resample(
            inputSampleRate=rate, outputSampleRate=16000, quality=4
        )(channels.mean(axis=1).astype(np.float32))
    np.testing.assert_allclose(load_audio(path), reference, rtol=0, atol=1e-6)


def test_floating_point_is_taken_as_it_is(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, np.tile([2.5, -2.5], 8000), 16000, subtype="FLOAT")
    assert np.abs(load_audio(path)).max() == 2.5


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg"])
def test_truncated_file_gives_its_beginning(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 4.0)
    whole = load_audio(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    part = load_audio(path)
    assert 0.5 * 16000 < len(part) < 3.5 * 16000
    safe = len(part) - 4000  # the last packet may be half there
    np.testing.assert_allclose(part[:safe], whole[:safe], rtol=0, atol=1e-6)


def test_header_that_promises_days_gives_what_is_there(tmp_path):
    flac = write_audio(tmp_path / "days.flac", 1.0)
    honest = load_audio(flac)
    promise_more_flac_samples(flac)
    assert soundfile.info(flac).frames == 2**36 - 1
    np.testing.assert_array_equal(load_audio(flac), honest)

    surround = tmp_path / "days.wav"  # six channels: read by libsndfile
    surround.write_bytes(wav_header(0, 6, 16000, 2**32 - 64) + bytes(range(240)) * 600)
    assert len(load_audio(surround)) == 12000


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_named_with_the_reason(tmp_path, name):
    data, reason = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(AudioFileError, match=reason) as caught:
        load_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_named_with_the_reason(tmp_path):
    (tmp_path / "dangling.wav").symlink_to("nowhere")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, reason in {
        "missing.wav": "no such file",
        "dangling.wav": "broken symbolic link",
        "loop.wav": "cannot be read",
        "folder.wav": "is a folder",
        "pipe.wav": "not a regular file",
        "n" * 300: "cannot be read",
        "nul\0.wav": "cannot be read",
    }.items():
        with pytest.raises(AudioFileError, match=reason):
            load_audio(tmp_path / name)


def test_without_permission(tmp_path, monkeypatch):
    path = write_audio(tmp_path / "a.wav")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything: ask nobody
    with pytest.raises(AudioFileError, match="cannot be read: Permission denied"):
        load_audio(path)


@pytest.mark.parametrize(
    "name",
    [b"\xe9\x9f\xb3\xe6\xa5\xbd \xc3\xa9", b"bad \xff\xfe bytes", b"a b'\"%20$x", b"no\nline"],
)
@pytest.mark.parametrize("ending", ["ogg", "opus"])
def test_any_file_name(tmp_path, name, ending):
    path = tmp_path / f"{os.fsdecode(name)}.{ending}"
    write_audio(path, sample_rate=48000)
    assert len(load_audio(path)) > 15000
    assert len(load_audio(str(path))) > 15000
    path.write_bytes(b"OggS" + bytes(100))
    with pytest.raises(AudioFileError, match="no sound is in it") as caught:
        load_audio(path)
    str(caught.value).encode("utf-8")
    assert "\n" not in str(caught.value)


def test_file_name_that_looks_like_a_protocol(tmp_path, monkeypatch):
    write_audio(tmp_path / "data:x.wav")
    monkeypatch.chdir(tmp_path)
    assert len(load_audio("data:x.wav")) == 16001


def test_unknown_codec_does_not_crash_the_process(tmp_path):
    # A MonoLoader that has seen nothing but an unknown codec ends in a segmentation fault.
    opus = write_audio(tmp_path / "a.opus", 0.2, 48000, 1)
    wav = write_audio(tmp_path / "a.wav")
    program = (
        "import sys; from essentia_maest import load_audio\n"
        "for _ in range(20): load_audio(sys.argv[1])\n"
        "print(len(load_audio(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, opus, wav], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "16001\n", "")


@pytest.mark.parametrize("active", [True, False])
def test_logging_is_left_as_it_was(tmp_path, active):
    path = write_audio(tmp_path / "a.opus", 0.2, 48000)
    kept = essentia.log.infoActive, essentia.log.warningActive
    try:
        essentia.log.infoActive, essentia.log.warningActive = active, not active
        load_audio(path)
        (tmp_path / "bad.wav").write_bytes(b"bad")
        with pytest.raises(AudioFileError):
            load_audio(tmp_path / "bad.wav")
        assert (essentia.log.infoActive, essentia.log.warningActive) == (active, not active)
    finally:
        essentia.log.infoActive, essentia.log.warningActive = kept


def test_no_file_handle_is_left_open(tmp_path):
    good = write_audio(tmp_path / "a.flac", 0.1)
    opus = write_audio(tmp_path / "a.opus", 0.1, 48000)
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"bad" * 1000)
    load_audio(good)
    before = open_handles()
    for _ in range(20):
        load_audio(good)
        load_audio(opus)
        with pytest.raises(AudioFileError):
            load_audio(bad)
    assert open_handles() == before


def test_threads(tmp_path):
    paths = [write_audio(tmp_path / f"{seed}.ogg", seed=seed) for seed in range(4)]
    expected = [load_audio(path) for path in paths]
    found: dict[int, np.ndarray] = {}

    def load(index: int) -> None:
        for _ in range(5):
            found[index] = load_audio(paths[index])

    threads = [threading.Thread(target=load, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in range(4):
        np.testing.assert_array_equal(found[index], expected[index])
