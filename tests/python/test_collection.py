"""Scan, decode workers, result folder and runs over collections, on the real model."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import (
    decode_and_leave_a_mark,
    decode_or_misbehave,
    short_limit,
    write_audio,
)
from essentia_maest import Model, UntrainedModelWarning, load_audio
from essentia_maest.collection.decode import Decoded, DecodePool, Failure, time_limit
from essentia_maest.collection.describe import file_sha256, strongest
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter, failure_line
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun, RunReport
from essentia_maest.collection.scan import LONGEST_NAME, Scan, Track, scan
from essentia_maest.convert import convert_random
from essentia_maest.errors import InvalidArgumentError


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    convert_random("tiny", path)
    with pytest.warns(UntrainedModelWarning):
        return Model(path, num_threads=1)


def analyze(
    model: Model, paths: list[Path], folder: Path, options: AnalysisOptions | None = None, **more
) -> RunReport:
    return CollectionRun(
        model,
        options or AnalysisOptions(block=1),
        ResultFolder(folder),
        **{"workers": 1, "reporter": SilentReporter(), **more},
    ).run(scan(paths))


def names(found: Scan) -> list[str]:
    return [track.result for track in found.tracks]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def result(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


# --- scan ---------------------------------------------------------------------------------------


def touch(folder: Path, *relative: str) -> None:
    for name in relative:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_scan_is_recursive_sorted_and_knows_audio(tmp_path):
    touch(tmp_path, "b.MP3", "a/z.flac", "a/c/d.opus", "a/b.ogg", "a/cover.jpg", "._b.mp3", "noise")
    found = scan([tmp_path])
    assert names(found) == ["b.MP3", "a/b.ogg", "a/z.flac", "a/c/d.opus"]
    assert [track.path for track in found.tracks] == [str(tmp_path / name) for name in names(found)]


def test_scan_takes_named_files_whatever_they_are_called(tmp_path):
    touch(tmp_path, "x.dat", "f/y.mp3")
    assert names(scan([tmp_path / "x.dat"])) == ["x.dat"]
    assert names(scan([tmp_path / "x.dat", tmp_path / "f"])) == ["x.dat", "f/y.mp3"]


def test_scan_takes_each_file_once_and_survives_loops(tmp_path):
    touch(tmp_path, "music/a.mp3", "music/b.mp3")
    (tmp_path / "music" / "loop").symlink_to(tmp_path / "music")
    (tmp_path / "music" / "up").symlink_to("..")
    (tmp_path / "music" / "c.mp3").symlink_to("a.mp3")
    found = scan([tmp_path / "music", tmp_path / "music" / "b.mp3", tmp_path / "music"])
    assert [os.path.basename(track.path) for track in found.tracks] == ["a.mp3", "b.mp3"]
    assert found.duplicates == 1 + 1 + 3


def test_scan_keeps_broken_links_for_the_report_and_leaves_pipes(tmp_path):
    (tmp_path / "a.mp3").symlink_to("nowhere.mp3")
    os.mkfifo(tmp_path / "b.mp3")
    assert names(scan([tmp_path])) == ["a.mp3"]


def test_scan_refuses_what_is_not_there(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"nowhere: no such file or folder"):
        scan([tmp_path / "nowhere"])


def test_scan_tells_folders_that_cannot_be_listed(tmp_path, monkeypatch):
    touch(tmp_path, "a.mp3", "secret/b.mp3")
    listed = os.scandir

    def refuse(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr("os.scandir", refuse)  # root may list everything: ask nobody
    found = scan([tmp_path])
    assert names(found) == ["a.mp3"]
    assert found.unreadable == [(str(tmp_path / "secret"), "Permission denied")]


def test_results_never_collide(tmp_path):
    touch(tmp_path, "x/a.mp3", "y/x/a.mp3", "y/x/A.mp3", "x/a.flac", "x/summary", "summary")
    paths = [tmp_path / "x", tmp_path / "y" / "x", tmp_path / "x" / "summary", tmp_path / "summary"]
    found = scan(paths)
    assert len(found.tracks) == 6
    keys = {name.casefold() for name in names(found)}
    assert len(keys) == 6
    assert "summary" not in keys
    assert "x/a.flac" in keys
    assert all(os.path.splitext(name)[1] in (".mp3", ".flac", "") for name in names(found))
    assert names(scan(paths)) == names(found)  # the same at every run


def test_results_of_long_names_fit_into_file_systems(tmp_path):
    stem = "\u00e9" * 124  # 248 bytes
    touch(tmp_path, f"{stem}.mp3", f"{stem}.ogg")
    found = names(scan([tmp_path]))
    assert len(set(found)) == 2
    assert all(len(os.fsencode(name)) <= LONGEST_NAME for name in found)
    assert {os.path.splitext(name)[1] for name in found} == {".mp3", ".ogg"}


# --- decode workers -----------------------------------------------------------------------------


def decode_all(paths: list[Path], workers: int, **more) -> dict[str, Decoded | Failure]:
    tracks = [Track(str(path), path.name) for path in paths]
    with DecodePool(workers, **more) as pool:
        outcomes = list(pool.decode(tracks))
    assert len(outcomes) == len(tracks)
    return {
        os.path.basename(one.path if isinstance(one, Failure) else one.track.path): one
        for one in outcomes
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_die_or_hang_cost_one_file(tmp_path, workers):
    bad = ["exits.wav", "segfaults.wav", "hangs.wav", "raises.wav", "segfaults-too.wav"]
    paths = []
    for index, name in enumerate(bad):
        paths += [tmp_path / name, tmp_path / f"good-{index}.wav"]
    for path in paths:
        write_audio(path, 0.1)
    (tmp_path / "empty.wav").touch()
    outcomes = decode_all(
        [*paths, tmp_path / "empty.wav"], workers, decode=decode_or_misbehave, limit=short_limit
    )
    failures = {name: one.reason for name, one in outcomes.items() if isinstance(one, Failure)}
    assert set(failures) == {*bad, "empty.wav"}
    assert failures["hangs.wav"] == "decoding took longer than 4 s"
    assert failures["raises.wav"] == "RuntimeError: strange decoder"
    assert "is empty" in failures["empty.wav"]
    # How a death is told depends on whether the pool saw the worker take the file.
    assert failures["exits.wav"] in (
        "the decoder crashed (exit status 3)",
        "the decoder's process died",
    )
    for name in ("segfaults.wav", "segfaults-too.wav"):
        assert failures[name] in (
            "the decoder crashed (SIGSEGV)",
            "the decoder's process died",
        )
    for index in range(len(bad)):
        good = outcomes[f"good-{index}.wav"]
        assert isinstance(good, Decoded)
        np.testing.assert_array_equal(good.audio, load_audio(tmp_path / f"good-{index}.wav"))


def test_few_tracks_are_decoded_ahead(tmp_path):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(8)]
    tracks = [Track(str(path), path.name) for path in paths]
    taken = 0
    with DecodePool(2, decode_and_leave_a_mark) as pool:
        for outcome in pool.decode(tracks):
            assert isinstance(outcome, Decoded)
            taken += 1
            time.sleep(0.3)
            decoded = len(list(tmp_path.glob("*.decoded")))
            assert decoded <= taken + 2 + 1
    assert taken == 8


def test_nothing_to_decode_starts_no_process():
    with DecodePool(2) as pool:
        assert list(pool.decode([])) == []
        assert pool._pool is None


def test_time_limit_grows_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(2_000_000))
    assert time_limit(str(path)) == 140.0
    assert time_limit(str(tmp_path / "missing")) == 120.0


# --- result folder ------------------------------------------------------------------------------


def test_result_folder_must_be_writable(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="is a file; a folder"):
        ResultFolder(tmp_path / "file")
    with pytest.raises(InvalidArgumentError, match="no results can be written there"):
        ResultFolder(tmp_path / "file" / "below")

    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)  # root may write everywhere: ask nobody
    with pytest.raises(InvalidArgumentError, match="cannot|can be written there: Permission"):
        ResultFolder(tmp_path / "new")


def test_results_are_whole_or_absent(tmp_path, monkeypatch):
    folder = ResultFolder(tmp_path)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    folder.write("a/x.mp3", {"n": 1}, {"predictions": array, "embeddings": array})
    assert files(tmp_path) == [
        "a/x.mp3.embeddings.npy",
        "a/x.mp3.json",
        "a/x.mp3.predictions.npy",
    ]
    assert folder.read("a/x.mp3") == {
        "n": 1,
        "arrays": {
            "predictions": "x.mp3.predictions.npy",
            "embeddings": "x.mp3.embeddings.npy",
        },
    }

    def fail(file, *_, **__):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("numpy.save", fail)
        with pytest.raises(OSError, match="No space left"):
            folder.write("a/x.mp3", {"n": 2}, {"predictions": array})
    # The old arrays are whole, nothing speaks for them, and no scraps are left.
    assert files(tmp_path) == ["a/x.mp3.embeddings.npy", "a/x.mp3.predictions.npy"]
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "x.mp3.predictions.npy"), array)
    assert folder.read("a/x.mp3") is None

    folder.write("a/x.mp3", {"n": 3}, {"predictions": array})
    assert files(tmp_path) == ["a/x.mp3.json", "a/x.mp3.predictions.npy"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"arrays": 3}', '{"arrays": {"a": 1}}'])
def test_damaged_json_counts_as_absent(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert ResultFolder(tmp_path).read("x") is None


def test_undecodable_names_survive(tmp_path):
    name = os.fsdecode(b"b\xffd \xc3\xa9.mp3")
    folder = ResultFolder(tmp_path)
    folder.write(name, {"track": name}, {"predictions": np.zeros((1, 1), np.float32)})
    written = (tmp_path / f"{name}.json").read_bytes().decode("utf-8")  # valid UTF-8
    assert json.loads(written)["track"] == name
    assert folder.read(name) is not None
    assert (
        failure_line(Failure(name, "decode", "no\nsense")) == r"failed: b\udcffd é.mp3: no\nsense"
    )


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"output": "all"}, "output is 'all'; wanted: predictions, embeddings, both"),
        ({"tail": "drop"}, "tail is 'drop'"),
        ({"tokens": ("cls", "avgg")}, "tokens is 'avgg'; wanted: cls, dist, avg"),
        ({"tokens": ()}, "tokens is empty"),
        ({"tokens": ("cls", "cls")}, "names one twice"),
        ({"block": 0}, "block is 0"),
        ({"top_k": 0}, "top-k is 0"),
        ({"hop": 0.0}, "hop is 0.0 s"),
        ({"hop": float("nan")}, "hop is nan s"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(InvalidArgumentError, match=message):
        AnalysisOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"block": 99}, {"patchout": "F9T9"}, {"hop": 1e9}])
def test_options_that_the_model_lacks_are_refused_before_any_work(tmp_path, model, wrong):
    with pytest.raises(InvalidArgumentError):
        analyze(model, [tmp_path], tmp_path / "out", AnalysisOptions(**{"block": 1, **wrong}))
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
    options = AnalysisOptions(output=output, block=1, tokens=("avg", "cls"), hop=hop, top_k=3)
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
    assert written["duration"] == pytest.approx(len(audio) / 16000, abs=1e-3)
    assert written["trained"] is False
    assert "untrained" in written["warning"]
    assert written["model"]["name"] == model.name
    assert written["model"]["sha256"] == file_sha256(model.path)
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
    write_audio(music / "segfaults.wav")
    report = analyze(
        model, [music], tmp_path / "out", decode=decode_or_misbehave, limit=short_limit
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
    }
    assert {os.path.basename(entry["path"]) for entry in summary["failures"]} == failed
    assert all(entry["reason"] for entry in summary["failures"])
    assert summary["trained"] is False
    assert summary["model"]["name"] == model.name
    assert {"essentia-maest", "essentia", "onnxruntime", "numpy"} <= set(summary["versions"])


def test_track_that_the_model_refuses_is_reported(tmp_path, model):
    write_audio(tmp_path / "in" / "short.wav", 0.1)
    not_finite = write_audio(tmp_path / "in" / "nan.wav", 10 * model.segment_seconds, 16000, 1)
    import soundfile

    samples, _ = soundfile.read(not_finite, dtype="float32")
    samples[7] = np.nan
    soundfile.write(not_finite, samples, 16000, subtype="FLOAT")
    report = analyze(
        model, [tmp_path / "in"], tmp_path / "out", AnalysisOptions(block=1, tail="discard")
    )
    assert {(os.path.basename(one.path), one.stage) for one in report.failures} == {
        ("short.wav", "analyze"),
        ("nan.wav", "analyze"),
    }
    assert report.analyzed == 0


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

    other = AnalysisOptions(block=2)
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
    one = AnalysisOptions(output="predictions", block=1)
    two = AnalysisOptions(output="predictions", block=2)
    analyze(model, [tmp_path / "in"], tmp_path / "out", one)
    assert analyze(model, [tmp_path / "in"], tmp_path / "out", two, resume=True).resumed == 1


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
