"""Data sets from audio: what is cut, what is refused, and what stops the run."""

import json

import essentia.standard
import numpy as np
import pytest
import soundfile

import essentia_maest as maest
from audio_fixtures import short_limit, write_audio
from essentia_maest.files import UNFINISHED
from sound_table_fixtures import OPTIONS, contents, write_table, write_wav
from spectrogram_fixtures import excerpt_or_misbehave
from training.data.excerpt import excerpt, mel_of, middle
from training.data.making import Making
from training.data.outcomes import Refusal, Spectrogram, read_outcomes
from training.data.spectrograms import make_spectrograms
from training.data.statistics import mean_and_deviation, sums_of
from training.data.store import SpectrogramStore
from training.data.tracks import read_tracks
from training.errors import DataError


def test_stored_is_the_engines_mel_of_the_middle(collection, dataset):
    store = SpectrogramStore(dataset)
    assert len(store) == 36
    for i in range(36):
        audio = maest.load_audio(store.path(i))
        if len(audio) > 16000:
            start = (len(audio) - 16000) // 2
            audio = audio[start : start + 16000]
        wanted = maest.mel_spectrogram(audio).astype(np.float16)
        np.testing.assert_array_equal(store.read(i), wanted)
    assert store.frames.max() == 64
    assert store.frames.min() == 39


def test_statistics_against_numpy(dataset):
    store = SpectrogramStore(dataset)
    values = np.concatenate([store.read(i) for i in store.indices("train")]).astype(np.float64)
    assert store.mean == pytest.approx(values.mean(), rel=1e-12)
    assert store.std == pytest.approx(values.std(), rel=1e-12)


def test_thirty_seconds_from_the_middle_of_compressed_stereo(tmp_path):
    path = write_audio(tmp_path / "a.ogg", 34.0, 44100, 2)
    found = excerpt(str(path), seconds=30.0, shortest_seconds=20.0)
    assert isinstance(found, Spectrogram)
    assert found.mel.shape == (1876, 96)
    audio = essentia.standard.MonoLoader(filename=str(path), sampleRate=16000, resampleQuality=4)()
    start = (len(audio) - 480000) // 2
    mel = maest.mel_spectrogram(audio[start : start + 480000])
    # Half of a float16's last bit, for values below 8.
    assert np.abs(found.mel.astype(np.float32) - mel).max() <= 2**-9


@pytest.mark.parametrize(
    ("samples", "wanted"), [(10, (0, 10)), (16, (0, 16)), (17, (0, 16)), (19, (1, 17))]
)
def test_middle(samples, wanted):
    audio = np.arange(samples, dtype=np.float32)
    np.testing.assert_array_equal(middle(audio, 16 / 16000)[0], audio[slice(*wanted)])


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(16000), "silent"),
        (np.r_[np.ones(100), np.nan, np.ones(100)], "unusable samples"),
        (np.full(16000, np.inf), "unusable samples"),
        (np.full(16000, 3e19), "unusable samples"),
    ],
)
def test_audio_that_cannot_be_used(audio, reason):
    found = mel_of(audio.astype(np.float32))
    assert isinstance(found, Refusal)
    assert found.reason == reason
    assert found.detail


def test_what_cannot_be_used_is_reported_and_the_rest_goes_on(tmp_path):
    good = [f"good {i}.wav" for i in range(12)]
    for i, name in enumerate(good):
        write_wav(tmp_path / name, 0.9, seed=i)
    write_wav(tmp_path / "short.wav", 0.49)
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    broken = np.full(16000, 0.1, np.float32)
    broken[8000] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 16000, subtype="FLOAT")
    bad = ["short.wav", "noise.mp3", "empty.wav", "silent.wav", "nan.wav", "absent.wav"]
    # The same file under two ids is two tracks.
    table = write_table(tmp_path, [*bad, *good, good[0], bad[0]])
    report = make_spectrograms(table, tmp_path / "set", **OPTIONS)
    assert report.refused == {
        "too short": 2,
        "cannot be decoded": 3,
        "silent": 1,
        "unusable samples": 1,
    }
    store = SpectrogramStore(tmp_path / "set")
    assert [store.path(i).name for i in range(len(store))] == [*good, good[0]]
    listed = (tmp_path / "set/spectrograms.refused.csv").read_text()
    for i in (0, 1, 2, 3, 4, 5, 19):
        assert f'"track {i}"' in listed
    assert "0.49 s; wanted 0.5 s or more" in listed
    written = json.loads((tmp_path / "set/dataset.json").read_text())
    assert written["refused"] == report.refused
    assert written["tracks"] == 13


def test_nothing_usable(tmp_path):
    table = write_table(tmp_path, [f"absent {i}.wav" for i in range(10)])
    with pytest.raises(DataError, match=r"no track of the training split(.|\n)*decoded: 10"):
        make_spectrograms(table, tmp_path / "set", **OPTIONS)
    # The disk is there again: nothing of the failure stays.
    for i in range(10):
        write_wav(tmp_path / f"absent {i}.wav", 0.8, seed=i)
    make_spectrograms(table, tmp_path / "set", **OPTIONS)
    assert len(SpectrogramStore(tmp_path / "set")) == 10


def test_what_was_refused_can_be_tried_again(tmp_path):
    names = [f"{i}.wav" for i in range(10)]
    for i, name in enumerate(names):
        write_wav(tmp_path / name, 0.9, seed=i)
    table = write_table(tmp_path, names)
    make_spectrograms(table, tmp_path / "whole", **OPTIONS)
    away = [tmp_path / names[i] for i in (0, 3, 7)]
    for file in away:
        file.rename(file.with_suffix(".away"))
    make_spectrograms(table, tmp_path / "set", **OPTIONS)
    for file in away:
        file.with_suffix(".away").rename(file)
    kept = (tmp_path / "set/shards/000001.arrow").stat().st_mtime_ns
    assert len(SpectrogramStore(tmp_path / "set")) == 7
    # What is there is not decoded again.
    (tmp_path / names[4]).unlink()
    make_spectrograms(table, tmp_path / "set", **OPTIONS, retry_refused=True)
    assert contents(tmp_path / "set") == contents(tmp_path / "whole")
    assert (tmp_path / "set/shards/000001.arrow").stat().st_mtime_ns == kept


@pytest.mark.slow
def test_crashing_and_hanging_decoders_cost_one_track(tmp_path):
    names = ["hangs.wav", "segfaults.wav", "raises.wav", "a.wav", "b.wav", "c.wav", "d.wav"]
    for i, name in enumerate(names):
        write_wav(tmp_path / name, 0.8, seed=i)
    tracks = read_tracks(write_table(tmp_path, names))
    making = Making(
        tracks, tmp_path / "set", excerpt_or_misbehave, workers=2, shard_tracks=7,
        limit=short_limit,
    )  # fmt: skip
    making.run()
    (outcomes,) = making.outcomes()
    details = outcomes.table["detail"].to_pylist()
    assert details[3:] == [None] * 4
    for detail, text in zip(
        details, ("longer than 4 s", "SIGSEGV", "strange decoder"), strict=False
    ):
        assert text in detail


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seconds": 0.0}, "seconds is 0.0"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"shortest_seconds": -1.0}, "shortest_seconds is -1.0"),
        ({"shard_tracks": 0}, "shard_tracks is 0"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_impossible_options(collection, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        make_spectrograms(collection, tmp_path / "set", **{**OPTIONS, **change})
    assert not (tmp_path / "set").exists()


def test_a_folder_that_cannot_be_made(collection, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file/set: cannot be written"):
        make_spectrograms(collection, tmp_path / "file/set", **OPTIONS)


def test_workers_that_cannot_start_stop_the_run_with_a_reason(collection, tmp_path, monkeypatch):
    def broken(*_):
        raise maest.MaestError("the processes that decode cannot start")

    monkeypatch.setattr("training.data.making.WorkerPool.run", broken)
    with pytest.raises(DataError, match="processes that decode cannot start"):
        make_spectrograms(collection, tmp_path / "set", **OPTIONS)


def test_a_full_disk_stops_the_run_with_a_reason(collection, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.data.outcomes.ShardWriter.append", full)
    with pytest.raises(DataError, match="set: cannot be written: .*No space left"):
        make_spectrograms(collection, tmp_path / "set", **OPTIONS)
    assert not list((tmp_path / "set").rglob(UNFINISHED))
    assert read_outcomes(tmp_path / "set", 0, 8) is None


def test_statistics_do_not_depend_on_order_and_are_exact():
    rng = np.random.default_rng(0)
    mels = [rng.normal(2, 1, (int(n), 96)).astype(np.float16) for n in rng.integers(1, 200, 50)]
    values = np.concatenate(mels).astype(np.float64)
    sums = np.array([sums_of(mel) for mel in mels])
    found = mean_and_deviation(values.size, sums[:, 0], sums[:, 1])
    assert found == pytest.approx((values.mean(), values.std()), rel=1e-13)
    assert mean_and_deviation(values.size, *sums[::-1].T) == found


@pytest.mark.parametrize("values", [[], [3.0, 3.0]])
def test_statistics_of_nothing(values):
    array = np.array(values)
    with pytest.raises(DataError, match="mel values"):
        mean_and_deviation(len(array), array, array**2)
