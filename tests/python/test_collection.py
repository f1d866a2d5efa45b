"""Result folder and runs over collections, on the real model."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_fixtures import music, open_or_misbehave, short_limit, write_audio
from collection_runs import analyze, files, result
from essentia_maest import Model, UntrainedModelWarning, load_audio
from essentia_maest.collection import analysing, decoding_pool
from essentia_maest.collection.analysis import TrackAnalysis
from essentia_maest.collection.describe import strongest
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.files import sha256_of
from essentia_maest.making.conversion import convert_random
from worker_helpers import worker_pids


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    convert_random("tiny", path)
    with pytest.warns(UntrainedModelWarning):
        return Model(path, num_threads=1)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "all"}, "output is 'all'; wanted: predictions, embeddings, both"),
        ({"tail": "drop"}, "tail 'drop' does not exist"),
        ({"tokens": ("cls", "avgg")}, "token 'avgg' does not exist"),
        ({"tokens": ()}, "no token"),
        ({"block": 0}, "block is 0"),
        ({"top_k": 0}, "top-k is 0"),
        ({"segments": 0}, "segments is 0; 1 or more wanted"),
        ({"hop": 0.0}, "hop is 0 s"),
        ({"hop": float("nan")}, "hop is nan s"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(InvalidArgumentError, match=message):
        AnalysisOptions.of(**wrong)


@pytest.mark.parametrize("wrong", [{"block": 99}, {"patchout": "F9T9"}, {"hop": 1e9}])
def test_options_that_the_model_lacks_are_refused_before_any_work(tmp_path, model, wrong):
    with pytest.raises(InvalidArgumentError):
        analyze(model, [tmp_path], tmp_path / "out", AnalysisOptions.of(**{"block": 1, **wrong}))
    assert not (tmp_path / "out" / "summary.json").exists()


# --- runs ---------------------------------------------------------------------------------------


def test_strongest_are_named_in_order():
    found = strongest(np.array([0.1, 0.7, 0.7, 0.2], np.float32), ("a", "b", "c", "d"), 3)
    assert found == [
        {"label": "b", "activation": 0.7},
        {"label": "c", "activation": 0.7},
        {"label": "d", "activation": 0.2},
    ]


@pytest.mark.parametrize("output", ["predictions", "embeddings", "both"])
def test_run_writes_what_the_model_says(tmp_path, model, output):
    seconds = 2.5 * model.segment_seconds
    path = write_audio(tmp_path / "in" / "sub" / "song.ogg", seconds, 16000, 1)
    hop = model.segment_seconds / 2
    options = AnalysisOptions.of(output=output, block=1, tokens=("avg", "cls"), hop=hop, top_k=3)
    report = analyze(model, [tmp_path / "in"], tmp_path / "out", options)
    assert (report.found, report.analyzed, report.failures) == (1, 1, [])

    audio = load_audio(path)
    predictions, embeddings = model.analyze(
        audio, block=1, tokens=("avg", "cls"), hop=hop, tail="repeat"
    )
    expected = {"predictions": predictions, "embeddings": embeddings}
    if output != "both":
        expected = {output: expected[output]}
    base = tmp_path / "out" / "sub" / "song.ogg"
    for kind, values in expected.items():
        found = np.load(f"{base}.{kind}.npy")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, values)
    assert len(files(tmp_path / "out")) == 2 + len(expected)

    written = result(tmp_path / "out", "sub/song.ogg")
    assert written["track"] == str(path)
    assert written["file_size"] == path.stat().st_size
    assert written["file_mtime"] == path.stat().st_mtime_ns
    assert written["duration"] == pytest.approx(len(audio) / 16000, abs=1e-3)
    assert written["trained"] is False
    assert "untrained" in written["warning"]
    assert written["model"]["name"] == model.name
    assert written["model"]["sha256"] == sha256_of(model.path)
    assert written["options"]["hop"] == hop
    assert written["arrays"] == {kind: f"song.ogg.{kind}.npy" for kind in expected}
    starts = [segment["start"] for segment in written["segments"]]
    assert len(starts) == len(predictions)
    np.testing.assert_allclose(np.diff(starts), round(hop * 62.5) / 62.5, atol=2e-3)
    assert written["segments"][0]["end"] == pytest.approx(model.segment_seconds, abs=1e-3)
    assert written["segments"][-1]["end"] <= written["duration"] + 1e-3
    if output == "embeddings":
        assert "top" not in written
        return
    best = np.argsort(-predictions.mean(axis=0), kind="stable")[:3]
    assert [entry["label"] for entry in written["top"]] == [model.labels[index] for index in best]
    for segment, values in zip(written["segments"], predictions, strict=True):
        assert segment["top"][0]["label"] == model.labels[int(values.argmax())]
        assert segment["top"][0]["activation"] == pytest.approx(values.max(), abs=1e-6)
        assert len(segment["top"]) == 3


def test_one_bad_file_is_reported_and_the_rest_kept(tmp_path, model):
    music = tmp_path / "in"
    write_audio(music / "a.flac")
    write_audio(music / "a.mp3")
    write_audio(music / "c.opus", sample_rate=48000)
    (music / "bad.mp3").write_bytes(b"no music" * 100)
    (music / "gone.wav").symlink_to("nowhere")
    write_audio(music / "segfaults.wav", 4.0)
    report = analyze(
        model, [music], tmp_path / "out", open_audio=open_or_misbehave, limit=short_limit
    )
    assert report.analyzed == 3
    failed = {os.path.basename(failure.path) for failure in report.failures}
    assert failed == {"bad.mp3", "gone.wav", "segfaults.wav"}
    written = [name for name in files(tmp_path / "out") if name.endswith(".json")]
    assert written == ["a.flac.json", "a.mp3.json", "c.opus.json", "summary.json"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["counts"] == {
        "found": 6,
        "analyzed": 3,
        "resumed": 0,
        "failed": 3,
        "duplicates": 0,
        "not_reached": 0,
        "left_out": 0,
        "skipped": 0,
    }
    assert {os.path.basename(entry["path"]) for entry in summary["failures"]} == failed
    assert all(entry["reason"] for entry in summary["failures"])
    assert summary["trained"] is False
    assert summary["model"]["name"] == model.name
    assert {"essentia-maest", "essentia", "onnxruntime", "numpy"} <= set(summary["versions"])


def test_track_that_the_model_refuses_is_reported(tmp_path, model):
    write_audio(tmp_path / "in" / "short.wav", 0.1)
    not_finite = write_audio(tmp_path / "in" / "nan.wav", 10 * model.segment_seconds, 16000, 1)
    samples, _ = soundfile.read(not_finite, dtype="float32")
    samples[7] = np.nan
    soundfile.write(not_finite, samples, 16000, subtype="FLOAT")
    report = analyze(
        model, [tmp_path / "in"], tmp_path / "out", AnalysisOptions.of(block=1, tail="discard")
    )
    assert {(os.path.basename(one.path), one.stage) for one in report.failures} == {
        ("short.wav", "analyze"),
        ("nan.wav", "analyze"),
    }
    assert report.analyzed == 0


def same_results(one: Path, other: Path) -> bool:
    """Whether two runs wrote the same, but for times and places."""
    names = [name for name in files(one) if name != "summary.json"]
    assert names == [name for name in files(other) if name != "summary.json"]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.mark.parametrize("output", ["predictions", "embeddings", "both"])
@pytest.mark.parametrize("tail", ["discard", "repeat", "pad"])
def test_results_do_not_depend_on_how_samples_come(model, output, tail):
    audio = music(3.6 * model.segment_seconds, 16000)[:, 0].astype(np.float32)
    options = AnalysisOptions.of(output, block=2, tokens=("avg", "cls"), hop=1.7, tail=tail)
    more = {"hop": 1.7, "tail": tail}
    predictions, embeddings = model.analyze(audio, block=2, tokens=("avg", "cls"), **more)
    wanted = {"predictions": predictions, "embeddings": embeddings}
    for size in (3001, 65536, len(audio)):
        analysis = TrackAnalysis(model, options)
        for begin in range(0, len(audio), size):
            analysis.push(audio[begin : begin + size])
        found = analysis.finish().arrays
        assert list(found) == [kind for kind in wanted if output in (kind, "both")]
        for kind, values in found.items():
            np.testing.assert_array_equal(values, wanted[kind])


def small_windows(monkeypatch) -> None:
    """Have tracks of some seconds come as those of many minutes do."""
    monkeypatch.setattr(decoding_pool, "WINDOW_SAMPLES", 130_000)
    monkeypatch.setattr(decoding_pool, "PIECE_SAMPLES", 33_333)
    monkeypatch.setattr(analysing, "PIECE_SAMPLES", 11_111)


@pytest.mark.slow
def test_long_tracks_have_the_results_of_short_ones(tmp_path, model, monkeypatch):
    tracks = tmp_path / "in"
    write_audio(tracks / "a.mp3", 3.6 * model.segment_seconds)
    write_audio(tracks / "b.opus", 1.1 * model.segment_seconds, 48000)
    write_audio(tracks / "short.wav", 1.0)
    (tracks / "bad.mp3").write_bytes(b"no music" * 100)
    whole = analyze(model, [tracks], tmp_path / "whole", workers=2)
    small_windows(monkeypatch)
    pieces = analyze(model, [tracks], tmp_path / "pieces", workers=2, long_seconds=3.0)
    assert same_results(tmp_path / "whole", tmp_path / "pieces")
    assert pieces.audio_seconds == pytest.approx(whole.audio_seconds)
    assert (whole.analyzed, whole.failures) == (3, pieces.failures)
    assert [os.path.basename(failure.path) for failure in pieces.failures] == ["bad.mp3"]


@pytest.mark.slow
def test_long_track_that_fails_is_reported_as_a_short_one_is(tmp_path, model, monkeypatch):
    music = tmp_path / "in"
    for name in ("nan.wav", "raises.wav"):
        path = write_audio(music / name, 2.5 * model.segment_seconds, 16000, 1)
        samples, _ = soundfile.read(path, dtype="float32")
        samples[40123 if name == "nan.wav" else 7] = np.nan
        soundfile.write(path, samples, 16000, subtype="FLOAT")
    more = {"open_audio": open_or_misbehave}
    whole = analyze(model, [music], tmp_path / "whole", **more)
    small_windows(monkeypatch)
    pieces = analyze(model, [music], tmp_path / "pieces", long_seconds=1.0, **more)
    assert same_results(tmp_path / "whole", tmp_path / "pieces")
    assert sorted(map(str, whole.failures)) == sorted(map(str, pieces.failures))
    assert sorted(failure.stage for failure in pieces.failures) == ["analyze", "decode"]


def test_interrupt_ends_long_tracks(tmp_path, model):
    for index in range(3):
        write_audio(tmp_path / "in" / f"{index}.wav")
    with pytest.raises(KeyboardInterrupt):
        analyze(
            model,
            [tmp_path / "in"],
            tmp_path / "out",
            reporter=InterruptAfter(1),
            workers=2,
            long_seconds=0.5,
        )
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["stopped"], summary["counts"]["analyzed"]) == ("interrupted", 1)


# --- runs that end and go on --------------------------------------------------------------------


@pytest.mark.slow
def test_resume(tmp_path, model):
    music, out = tmp_path / "in", tmp_path / "out"
    for name in ("a.wav", "b.wav", "c.wav"):
        write_audio(music / name)
    assert analyze(model, [music], out).analyzed == 3
    assert analyze(model, [music], out, resume=True).resumed == 3

    (out / "a.wav.json").unlink()
    (out / "b.wav.embeddings.npy").unlink()
    report = analyze(model, [music], out, resume=True)
    assert (report.resumed, report.analyzed) == (1, 2)

    write_audio(music / "c.wav", 2.0)
    report = analyze(model, [music], out, resume=True)
    assert (report.resumed, report.analyzed) == (2, 1)
    assert result(out, "c.wav")["duration"] == pytest.approx(2, abs=0.01)

    write_audio(music / "c.wav", 2.0, seed=5)  # other music of as many bytes
    report = analyze(model, [music], out, resume=True)
    assert (report.resumed, report.analyzed) == (2, 1)

    other = AnalysisOptions.of(block=2)
    assert analyze(model, [music], out, other, resume=True).analyzed == 3
    assert analyze(model, [music], out, other, resume=True).resumed == 3
    assert analyze(model, [music], out, other).analyzed == 3  # without resume: all anew


def test_resume_knows_the_model(tmp_path, model):
    write_audio(tmp_path / "in" / "a.wav")
    analyze(model, [tmp_path / "in"], tmp_path / "out")
    changed = json.loads((tmp_path / "out" / "a.wav.json").read_text())
    changed["model"]["sha256"] = "0" * 64
    (tmp_path / "out" / "a.wav.json").write_text(json.dumps(changed))
    report = analyze(model, [tmp_path / "in"], tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (0, 1)


def test_options_that_do_not_bear_on_the_output_do_not_undo_resume(tmp_path, model):
    write_audio(tmp_path / "in" / "a.wav")
    one = AnalysisOptions.of(output="predictions", block=1)
    two = AnalysisOptions.of(output="predictions", block=2)
    analyze(model, [tmp_path / "in"], tmp_path / "out", one)
    assert analyze(model, [tmp_path / "in"], tmp_path / "out", two, resume=True).resumed == 1


class KillWorkers(SilentReporter):
    """Kill a worker, idle or busy, whenever a track is done, a few times."""

    def __init__(self, times: int) -> None:
        self.killed = 0
        self._times = times

    def done(self) -> None:
        pids = worker_pids()
        if pids and self.killed < self._times:
            os.kill(pids[self.killed % len(pids)], signal.SIGKILL)
            self.killed += 1


@pytest.mark.slow
def test_killed_workers_cost_at_most_what_they_held(tmp_path, model):
    for index in range(24):
        write_audio(tmp_path / "in" / f"{index}.flac", 3.0, seed=index)
    killer = KillWorkers(6)
    report = analyze(
        model, [tmp_path / "in"], tmp_path / "out", reporter=killer, workers=2, threads=2
    )
    assert killer.killed == 6
    assert report.stopped is None
    assert report.analyzed + len(report.failures) == 24
    assert len(report.failures) <= 6
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())["counts"]
    parts = ("analyzed", "resumed", "failed", "not_reached")
    assert counts["found"] == 24 == sum(counts[part] for part in parts)
    assert {one.reason for one in report.failures} <= {"the decoder crashed (SIGKILL)"}
    # What failed is done by the next run.
    again = analyze(model, [tmp_path / "in"], tmp_path / "out", resume=True)
    assert again.resumed + again.analyzed == 24
    assert again.resumed == report.analyzed
    assert not list(tmp_path.rglob(".maest-*"))


class InterruptAfter(SilentReporter):
    """Ctrl-C once some tracks are done."""

    def __init__(self, tracks: int) -> None:
        self._left = tracks

    def done(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def test_interrupt_keeps_what_is_finished(tmp_path, model):
    for index in range(5):
        write_audio(tmp_path / "in" / f"{index}.wav")
    with pytest.raises(KeyboardInterrupt):
        analyze(model, [tmp_path / "in"], tmp_path / "out", reporter=InterruptAfter(2))
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["stopped"] == "interrupted"
    assert summary["counts"]["analyzed"] == 2
    report = analyze(model, [tmp_path / "in"], tmp_path / "out", resume=True)
    assert (report.resumed, report.analyzed) == (2, 3)


@pytest.mark.parametrize(("code", "analyzed"), [(errno.ENOSPC, 1), (errno.ENAMETOOLONG, 3)])
def test_full_disk_ends_the_run_and_lesser_trouble_does_not(
    tmp_path, model, monkeypatch, code, analyzed
):
    for index in range(4):
        write_audio(tmp_path / "in" / f"{index}.wav")
    write = ResultFolder.write
    calls = []

    def fail_at_the_second(self, name, *rest):
        calls.append(name)
        if len(calls) == 2:
            raise OSError(code, os.strerror(code))
        write(self, name, *rest)

    monkeypatch.setattr(ResultFolder, "write", fail_at_the_second)
    report = analyze(model, [tmp_path / "in"], tmp_path / "out")
    assert report.analyzed == analyzed
    assert [failure.stage for failure in report.failures] == ["write"]
    assert (report.stopped is None) == (code == errno.ENAMETOOLONG)
    if report.stopped:
        assert "No space left" in report.stopped
