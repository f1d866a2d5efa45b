"""Decoding piece by piece: the samples of `load_audio`, its errors, and a guess at lengths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import (
    BROKEN,
    FORMATS,
    promise_more_flac_samples,
    wav_header,
    write_audio,
)
from essentia_maest import AudioFileError, load_audio
from essentia_maest.decoding import resampling
from essentia_maest.decoding.pieces import estimated_seconds, write_pieces
from essentia_maest.decoding.resampling import resample_blocks
from essentia_maest.essentia_algorithms import quiet_essentia


class FileOutlet:
    """Keeps what comes."""

    def __init__(self, folder: Path) -> None:
        self.essentia_file = str(folder / "samples")
        self.sent: list[np.ndarray] = []
        self._written = np.zeros(0, np.float32)

    def essentia_done(self) -> None:
        if Path(self.essentia_file).exists():
            self._written = np.fromfile(self.essentia_file, np.float32)

    def send(self, samples: np.ndarray) -> None:
        self.sent.append(samples)

    def audio(self) -> np.ndarray:
        return np.concatenate(self.sent) if self.sent else self._written


def pieces_of(path: Path) -> np.ndarray:
    outlet = FileOutlet(path.parent)
    write_pieces(str(path), outlet)
    return outlet.audio()


MORE_FORMATS = [
    ("opus", None, 48000, 2),
    ("opus", None, 24000, 1),
    ("caf", "PCM_16", 16000, 1),
    ("wav", "PCM_16", 22050, 6),
    ("flac", "PCM_16", 48000, 6),
]


@pytest.mark.parametrize(("ending", "subtype", "rate", "channels"), FORMATS + MORE_FORMATS)
def test_pieces_are_what_load_audio_gives(tmp_path, ending, subtype, rate, channels):
    path = write_audio(tmp_path / f"a.{ending}", 5.3, rate, channels, subtype)
    whole = load_audio(path)
    assert len(whole) > 5 * 16000
    np.testing.assert_array_equal(pieces_of(path), whole)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "ogg", "opus"])
def test_truncated_file_gives_its_beginning(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 4.0, 48000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    np.testing.assert_array_equal(pieces_of(path), load_audio(path))


def test_header_that_promises_days_gives_what_is_there(tmp_path):
    path = write_audio(tmp_path / "days.flac")
    promise_more_flac_samples(path)
    assert estimated_seconds(str(path)) > 86400
    np.testing.assert_array_equal(pieces_of(path), load_audio(path))


@pytest.mark.parametrize("name", [*BROKEN, "missing.wav"])
def test_errors_are_those_of_load_audio(tmp_path, name):
    path = tmp_path / name
    if name in BROKEN:
        path.write_bytes(BROKEN[name][0])
    with pytest.raises(AudioFileError) as whole:
        load_audio(path)
    with pytest.raises(AudioFileError) as pieces:
        write_pieces(str(path), FileOutlet(tmp_path))
    assert str(pieces.value) == str(whole.value)


def test_unknown_codec_does_not_crash_the_process(tmp_path):
    opus = write_audio(tmp_path / "a.opus", 0.2, 48000, 1)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_audio_pieces import pieces_of\n"
        "for _ in range(10): pieces_of(Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(opus)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 44100, 48000, 96000])
@pytest.mark.parametrize("exported", [True, False])
def test_resampling_blocks_equals_resampling_at_once(monkeypatch, rate, exported):
    if not exported:
        monkeypatch.setattr(resampling, "_libsamplerate", lambda: None)
    signal = np.random.default_rng(rate).normal(0, 0.1, rate * 3 + 17).astype(np.float32)
    with quiet_essentia():
        import essentia.standard  # it writes lines to stderr, which a test in this file reads

        whole = essentia.standard.Resample(inputSampleRate=rate, outputSampleRate=16000, quality=4)(
            signal
        )
    for size in (1000, 65536, len(signal)):
        blocks = [signal[begin : begin + size] for begin in range(0, len(signal), size)]
        found = np.concatenate(list(resample_blocks(blocks, rate)))
        np.testing.assert_array_equal(found, whole)


def test_essentia_exports_the_resampler():
    # Where it does not, Opus files are resampled whole: right, but in memory that grows.
    assert resampling._libsamplerate() is not None


def test_impossible_rates_are_refused():
    with pytest.raises(RuntimeError):
        list(resample_blocks([np.zeros(10, np.float32)], 0))


@pytest.mark.parametrize("ending", ["wav", "aiff", "flac", "ogg", "opus", "mp3"])
def test_length_is_what_the_file_says(tmp_path, ending):
    path = write_audio(tmp_path / f"a.{ending}", 7.0, 48000)
    assert estimated_seconds(str(path)) == pytest.approx(7, abs=1.1)


def test_length_that_is_not_told_or_not_true_comes_from_the_size(tmp_path):
    untold = write_audio(tmp_path / "a.caf", 8.0, 16000, 1, "PCM_16")
    assert estimated_seconds(str(untold)) == pytest.approx(untold.stat().st_size / 8000)
    false = tmp_path / "b.wav"
    false.write_bytes(wav_header(0, 2, 44100, 44100 * 4) + bytes(5_000_000))
    assert estimated_seconds(str(false)) >= 5_000_000 / 576_000
