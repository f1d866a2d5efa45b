"""`analyze_files`: results as they come, failures as values, a clean end."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import open_or_misbehave, write_audio
from essentia_maest.collection import many_files
from untrained import UNTRAINED
from worker_helpers import worker_pids


@pytest.fixture(scope="module")
def model() -> maest.Model:
    return maest.Model(UNTRAINED, num_threads=1)


@pytest.fixture
def tracks(tmp_path) -> list[Path]:
    return [
        write_audio(tmp_path / f"{seed}.{ending}", 11.0 * seed + 3, seed=seed)
        for seed, ending in enumerate(("wav", "flac", "mp3"))
    ]


def test_results_are_those_of_analyze_on_load_audio(model, tracks):
    options = {"block": 2, "tokens": ("avg",), "patchout": "F3T2", "hop": 4.0, "tail": "pad"}
    found = {one.path: one for one in maest.analyze_files(tracks, model=model, **options)}
    assert set(found) == set(tracks)
    for path, one in found.items():
        audio = maest.load_audio(path)
        predictions, embeddings = model.analyze(audio, **options)
        np.testing.assert_array_equal(one.predictions, predictions)
        np.testing.assert_array_equal(one.embeddings, embeddings)
        same = model.analyze_file(path, **options)
        np.testing.assert_array_equal(one.start_seconds, same.start_seconds)
        for name in ("seconds", "segment_seconds", "container", "codec", "decoder", "ending"):
            assert getattr(one, name) == getattr(same, name)
        assert (one.seconds_promised, one.damage) == (same.seconds_promised, same.damage)


def test_failures_are_values(model, tracks, tmp_path, monkeypatch):
    monkeypatch.setattr(many_files, "AudioFile", open_or_misbehave)
    bad = [write_audio(tmp_path / name, 4.0) for name in ("segfaults.wav", "raises.wav")]
    (tmp_path / "words.mp3").write_bytes(b"no music" * 100)
    not_finite = tmp_path / "nan.wav"
    write_audio(not_finite, 2.0, 16000, 1, "FLOAT")
    data = np.fromfile(not_finite, np.float32)
    data[-100] = np.nan
    data.tofile(not_finite)
    paths = [*bad, tmp_path / "words.mp3", tmp_path / "gone.wav", not_finite, *tracks]
    found = {one.path.name: one for one in maest.analyze_files(paths, model=model, workers=2)}
    failed = {name: one for name, one in found.items() if isinstance(one, maest.FileFailure)}
    assert set(found) - set(failed) == {path.name for path in tracks}
    assert failed["segfaults.wav"].reason == "the decoder crashed (SIGSEGV)"
    assert failed["raises.wav"].reason == "RuntimeError: strange decoder"
    assert "no such file" in failed["gone.wav"].reason
    assert failed["nan.wav"].stage == "analyze"
    assert {one.stage for name, one in failed.items() if name != "nan.wav"} == {"decode"}


@pytest.fixture
def without_collection() -> Iterator[None]:
    """What is let go of is not what Python's collector finds some time."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def shared_memory() -> list[str]:
    """What this process has of it, open or mapped."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    opened = [os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return [line for line in (*mapped, *opened) if "maest-samples" in line]


@pytest.mark.parametrize("way", ["close", "context", "error", "break"])
def test_leaving_early_lets_go_of_everything(model, tracks, without_collection, way):
    before = None
    for _ in range(3):
        leave(maest.analyze_files(tracks * 3, model=model, workers=2, hop=0.5), way)
        assert worker_pids() == []
        assert shared_memory() == []
        # What is opened once, for good, is open after the first.
        before = before or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) <= before


def leave(results, way: str) -> None:
    """Take a result, and leave the rest."""
    if way == "break":
        for found in results:
            assert isinstance(found, maest.FileAnalysis)
            assert worker_pids()
            break
        return
    assert isinstance(next(results), maest.FileAnalysis)
    assert shared_memory()
    assert worker_pids()
    if way == "close":
        results.close()
        assert list(results) == []
    elif way == "context":
        with results as same:
            next(same)
    else:
        with contextlib.suppress(KeyError), results:
            raise KeyError


def test_letting_go_ends_all_processes(model, tracks):
    for _ in maest.analyze_files(tracks * 3, model=model, workers=2):
        break
    assert worker_pids() == []


def test_relative_paths_are_those_of_the_call(model, tracks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = maest.analyze_files([tracks[0].name], model=model, outputs=["predictions"])
    monkeypatch.chdir("/")
    (found,) = results
    assert found.path == Path(tracks[0].name)
    assert list(found.outputs) == ["predictions"]


def test_a_path_that_comes_twice_is_analysed_twice(model, tracks):
    found = list(maest.analyze_files([tracks[0], tracks[0]], model=model))
    assert [one.path for one in found] == [tracks[0]] * 2


def test_what_is_wrong_is_told_at_the_call(model, tracks):
    with pytest.raises(maest.InvalidArgumentError, match="one path; several are wanted"):
        maest.analyze_files(str(tracks[0]), model=model)
    with pytest.raises(maest.InvalidArgumentError, match="block"):
        maest.analyze_files(tracks, model=model, block=99)
    with pytest.raises(maest.InvalidArgumentError, match="workers is 0"):
        maest.analyze_files(tracks, model=model, workers=0)
    with pytest.raises(maest.InvalidArgumentError, match="segments is 0"):
        maest.analyze_files(tracks, model=model, segments=0)
    with pytest.raises(maest.ModelError):
        maest.analyze_files(tracks, model="no-such-model")


def test_nothing_to_do(model):
    assert list(maest.analyze_files([], model=model)) == []


def test_segments_of_each(model, tracks):
    (found,) = maest.analyze_files([tracks[2]], model=model, segments=2)
    whole = model.analyze_file(tracks[2])
    assert len(whole.start_seconds) == 3
    at = [list(whole.start_seconds).index(start) for start in found.start_seconds]
    assert len(at) == 2
    np.testing.assert_array_equal(found.embeddings, whole.embeddings[at])
    assert found.seconds == pytest.approx(whole.seconds, abs=0.1)
    alone = model.analyze_file(tracks[2], segments=2)
    np.testing.assert_array_equal(alone.embeddings, found.embeddings)
    np.testing.assert_array_equal(alone.start_seconds, found.start_seconds)
    assert alone.ending == found.ending == "unknown"
    every = model.analyze_file(tracks[2], segments=9)
    np.testing.assert_array_equal(every.embeddings, whole.embeddings)
    assert (every.ending, every.seconds) == ("complete", whole.seconds)
    with pytest.raises(maest.InvalidArgumentError, match="segments is 0"):
        model.analyze_file(tracks[2], segments=0)
