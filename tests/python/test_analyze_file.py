"""Models on files, and on samples of any rate."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import AudioFile, AudioFileError, InvalidArgumentError, _core, load_audio
from essentia_maest.decoding import monoloader


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model("default")


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3", "opus"])
@pytest.mark.parametrize("patchout", ["F0T0", "F3T5"])
def test_analyzing_a_file_is_analyzing_its_samples(tmp_path, model, ending, patchout):
    path = write_audio(tmp_path / f"a.{ending}", 27.0, 48000)
    audio = load_audio(path)
    predictions, embeddings = model.analyze(audio, block=3, patchout=patchout)
    found = model.analyze_file(path, block=3, patchout=patchout)
    np.testing.assert_array_equal(found.predictions, predictions)
    np.testing.assert_array_equal(found.embeddings, embeddings)
    assert len(found.start_seconds) == len(predictions) > 1
    assert found.seconds == len(audio) / 16000
    assert found.segment_seconds == model.segment_seconds
    assert found.ending == "complete"
    assert found.path == path
    with AudioFile(path) as file:
        assert (found.container, found.codec, found.decoder) == (
            file.container,
            file.codec,
            file.decoder,
        )


def test_analyzing_a_file_gives_what_is_asked(tmp_path, model):
    path = write_audio(tmp_path / "a.wav", 12.0)
    found = model.analyze_file(path, outputs=["embeddings"], tokens=("cls",), hop=2.0)
    assert found.embeddings.shape == (len(found.start_seconds), model.dim)
    with pytest.raises(InvalidArgumentError, match="predictions were not asked for"):
        _ = found.predictions
    with pytest.raises(AudioFileError, match="no such file"):
        model.analyze_file(tmp_path / "missing.wav")


def test_analyzing_a_file_that_python_decodes(tmp_path, model, monkeypatch):
    path = write_audio(tmp_path / "a.flac", 25.0)
    wanted = model.analyze_file(path)
    known = _core.identify(str(path).encode())
    monkeypatch.setattr(
        "essentia_maest.decoding.audio_file.open_reader",
        lambda name: monoloader.MonoLoaderReader(str(name), known),
    )
    found = model.analyze_file(path)
    assert found.decoder == "MonoLoader of Essentia"
    np.testing.assert_array_equal(found.predictions, wanted.predictions)
    np.testing.assert_array_equal(found.embeddings, wanted.embeddings)


def test_samples_of_a_file_that_are_no_numbers_are_refused(tmp_path, model):
    samples = np.zeros(16000 * 12, np.float32)
    samples[5] = np.nan
    path = tmp_path / "nan.wav"
    header = struct.pack("<HHIIHH", 3, 1, 16000, 64000, 4, 32)
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + samples.nbytes) + b"WAVEfmt " + struct.pack("<I", 16)
        + header + b"data" + struct.pack("<I", samples.nbytes) + samples.tobytes()
    )  # fmt: skip
    with pytest.raises(InvalidArgumentError, match="sample 5 is nan"):
        model.analyze_file(path)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 44100.0, 48000])
def test_models_take_any_rate(model, rate):
    audio = np.random.default_rng(0).normal(0, 0.1, round(rate * 11)).astype(np.float32)
    resampled = _core.Resampler(int(rate)).push(audio)
    np.testing.assert_array_equal(model.predict(audio, sample_rate=rate), model.predict(resampled))
    np.testing.assert_array_equal(
        model.embed(audio, block=2, sample_rate=rate), model.embed(resampled, block=2)
    )


def test_rates_and_samples_that_are_none_are_refused(model):
    audio = np.zeros(44100, np.float32)
    for rate in (0, -1, 44100.5, float("nan")):
        with pytest.raises(InvalidArgumentError, match="rate"):
            model.predict(audio, sample_rate=rate)
    audio[40000] = np.inf
    with pytest.raises(InvalidArgumentError, match="sample 40000 is inf"):
        model.predict(audio, sample_rate=44100)
