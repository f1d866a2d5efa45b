"""Whole tracks in processes: the same results, whatever dies, hangs or is long."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

import essentia_maest as maest
from audio_fixtures import (
    SlowlyRead,
    open_for_slow_analysis,
    open_or_misbehave,
    short_limit,
    write_audio,
)
from essentia_maest import Model, machine
from essentia_maest.collection import local_engine, whole_tracks
from essentia_maest.collection.analysing import Analysed
from essentia_maest.collection.interrupts import Interrupts
from essentia_maest.collection.options import AnalysisOptions, Shares
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.scan import Track, scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.collection.whole_tracks import WholeTracks, whole_tracks_pay
from table_runs import rows, run, table
from untrained import UNTRAINED
from worker_helpers import worker_pids


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNTRAINED, num_threads=1)


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("music")
    for number, ending in enumerate(("flac", "mp3", "ogg", "wav") * 4):
        write_audio(folder / f"{number:02}.{ending}", 2.0 + number, 44100, 2, seed=number)
    return folder


def tracks_of(*paths: Path) -> list[Track]:
    return [Track(str(path), path.name) for path in paths]


def whole(model: Model, tracks: list[Track], processes: int = 1, **more):
    """Analyse tracks, and give what becomes of each by its name, and those that are left."""
    asked = {"open_audio": maest.AudioFile, "limit": short_limit, "longest": None, "hashed": False}
    options = AnalysisOptions.of(block=1)
    engine = WholeTracks(model, options, processes, lambda done: done, **{**asked, **more})
    found = {track.result: outcome for track, outcome in engine.run(tracks)}
    assert worker_pids() == []
    return found, [track.result for track in engine.left]


def same(found: Analysed, model: Model) -> bool:
    predictions, embeddings = model.analyze(maest.load_audio(found.track.path), block=1)
    np.testing.assert_array_equal(found.analysis.arrays["predictions"], predictions)
    np.testing.assert_array_equal(found.analysis.arrays["embeddings"], embeddings)
    return True


def test_runs_give_the_same_tables(tmp_path, music, model, monkeypatch):
    used = []
    monkeypatch.setattr(
        local_engine,
        "WholeTracks",
        lambda *what, **more: used.append(1) or WholeTracks(*what, **more),
    )
    shares = {"workers": 2, "threads": 2}
    assert run(model, music, tmp_path / "whole", **shares).analyzed == 16
    assert used
    monkeypatch.setattr(local_engine, "whole_tracks_pay", lambda *_: False)
    assert run(model, music, tmp_path / "parts", **shares).analyzed == 16
    assert len(used) == 1
    for name in ("tracks", "segments"):
        assert rows(tmp_path / "whole", name) == rows(tmp_path / "parts", name)


def test_scripts_get_the_same_results(music, model):
    paths = sorted(music.iterdir())
    for found in maest.analyze_files(paths, model=model, workers=1, threads=1, block=1):
        predictions, embeddings = model.analyze(maest.load_audio(found.path), block=1)
        np.testing.assert_array_equal(found.predictions, predictions)
        np.testing.assert_array_equal(found.embeddings, embeddings)
    assert worker_pids() == []


def test_what_dies_hangs_or_raises_costs_one_track(tmp_path, model):
    names = ["exits.wav", "a.flac", "segfaults.wav", "b.ogg", "hangs.wav", "raises.wav"]
    names += ["segfaults-at-once.wav"]
    paths = [write_audio(tmp_path / name, 4.0, seed=seed) for seed, name in enumerate(names)]
    (tmp_path / "bad.mp3").write_bytes(b"words, no music" * 99)
    (tmp_path / "nan.wav").write_bytes(_not_finite(tmp_path / "floats.wav"))
    tracks = tracks_of(*paths, tmp_path / "bad.mp3", tmp_path / "nan.wav", tmp_path / "gone.wav")
    found, left = whole(model, tracks, 2, open_audio=open_or_misbehave)
    assert left == []
    failed = {name: one for name, one in found.items() if isinstance(one, Failure)}
    reasons = {name: failure.reason for name, failure in failed.items()}
    assert {name: reasons.pop(name) for name in names if name in reasons} == {
        "exits.wav": "the decoder crashed (exit status 3)",
        "segfaults.wav": "the decoder crashed (SIGSEGV)",
        "segfaults-at-once.wav": "the decoder crashed (SIGSEGV)",
        "hangs.wav": "decoding took longer than 4 s",
        "raises.wav": "RuntimeError: strange decoder",
    }
    assert "bad.mp3: " in reasons["bad.mp3"]
    assert "no such file" in reasons["gone.wav"]
    assert (failed["nan.wav"].stage, failed["bad.mp3"].stage) == ("analyze", "decode")
    assert all(same(found[name], model) for name in ("a.flac", "b.ogg"))


def _not_finite(path: Path) -> bytes:
    write_audio(path, 2.0, 16000, 1, "FLOAT")
    data = np.fromfile(path, np.float32)
    data[-100] = np.nan
    path.unlink()
    return data.tobytes()


def test_time_of_computing_does_not_count_as_decoding(tmp_path, model):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)
    found, _ = whole(model, tracks_of(path), open_audio=open_for_slow_analysis, limit=lambda _: 2.0)
    assert same(found["a.wav"], model)


def test_time_of_decoding_adds_up(tmp_path, model):
    path = write_audio(tmp_path / "a.wav", 12.0, 16000, 1)
    found, _ = whole(model, tracks_of(path), open_audio=SlowlyRead, limit=lambda _: 1.5)
    assert found["a.wav"].reason == "decoding took longer than 2 s"


def test_long_tracks_are_computed_by_all_threads(tmp_path, music, model):
    paths = sorted(music.iterdir())
    found, left = whole(model, tracks_of(*paths), 2, longest=10.0)
    told = {path.name: maest.AudioFile(path).seconds or 0.0 for path in paths}
    assert sorted(left) == [name for name, seconds in told.items() if seconds >= 10.0]
    assert len(found) + len(left) == len(paths) == 16
    assert 4 < len(left) < 12
    report = run(model, music, tmp_path / "out", long_seconds=10.0)
    assert (report.analyzed, report.failures) == (16, [])
    assert rows(tmp_path / "out")


def test_a_model_that_was_replaced_is_not_opened_again(tmp_path, music):
    path = Path(shutil.copy(UNTRAINED, tmp_path / "model.onnx"))
    model = Model(path, num_threads=1)
    tracks = scan([music]).tracks
    engine = WholeTracks(
        model,
        AnalysisOptions.of(block=1),
        1,
        lambda done: done,
        open_audio=maest.AudioFile,
        limit=short_limit,
        longest=None,
        hashed=False,
    )
    path.write_bytes(b"another model")
    assert list(engine.run(tracks)) == []
    assert engine.left == tracks
    found = list(
        maest.analyze_files([one.path for one in tracks], model=model, workers=1, threads=1)
    )
    assert len(found) == 16
    assert {type(one) for one in found} == {maest.FileAnalysis}


class Killing(SilentReporter):
    """Kill all workers once a few tracks are done: some are idle, some busy."""

    def __init__(self) -> None:
        self.done_so_far = 0

    def done(self) -> None:
        self.done_so_far += 1
        if self.done_so_far == 4:
            for pid in worker_pids():
                os.kill(pid, signal.SIGKILL)


def test_what_killed_workers_held_is_done_again(tmp_path, music, model):
    report = run(model, music, tmp_path / "out", workers=2, threads=2, reporter=Killing())
    assert (report.stopped, report.analyzed, report.failures) == (None, 16, [])
    assert len(table(tmp_path / "out")["id"]) == 16


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_remarkable_is_told_by_the_processes(tmp_path, music, model, monkeypatch, strict):
    folder = Path(shutil.copytree(music, tmp_path / "music"))
    cut = folder / "08.flac"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    asked = {"workers": 2, "threads": 2, "strict": strict}
    reports = [run(model, folder, tmp_path / "whole", **asked)]
    monkeypatch.setattr(local_engine, "whole_tracks_pay", lambda *_: False)
    reports.append(run(model, folder, tmp_path / "parts", **asked))
    for report in reports:
        assert list(report.flagged.counts) == ["truncated", "damaged"]
        assert [failure.path for failure in report.failures] == [str(cut)] * strict
    assert reports[0].failures == reports[1].failures
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


def test_an_interrupt_while_a_track_is_taken_comes_after_it(tmp_path, music, model, monkeypatch):
    take, taken = TableSink.track, []

    def interrupted(self, described) -> None:
        take(self, described)
        taken.append(described)
        if len(taken) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TableSink, "track", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(model, music, tmp_path / "out", workers=2, threads=2)
    assert signal.getsignal(signal.SIGINT) is handler
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())["counts"]
    assert counts["analyzed"] == len(table(tmp_path / "out")["id"]) == len(taken) == 3
    assert worker_pids() == []


@pytest.mark.parametrize(("times", "done"), [(1, ["first", "last"]), (2, ["first"])])
def test_interrupts_are_put_off_once(times, done):
    seen = []

    def work(interrupts: Interrupts) -> None:
        with interrupts.put_off():
            seen.append("first")
            for _ in range(times):  # whoever waits for too long does it again
                signal.raise_signal(signal.SIGINT)
            seen.append("last")
        seen.append("never")

    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            work(interrupts)
        assert seen == done
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_closing_ends_all_and_gives_what_was_concluded(music, model):
    concluded: list[str] = []

    def conclude(analysed: Analysed) -> str:
        concluded.append(analysed.track.path)
        return analysed.track.path

    options = AnalysisOptions.of(block=1)
    engine = local_engine.LocalEngine(
        model, options, Shares(2, 2), conclude, open_audio=maest.AudioFile, quick=True
    )
    given = engine.run(scan([music]).tracks)
    first = next(given)[1]
    assert worker_pids()
    given.close()
    assert worker_pids() == []
    assert [first, *(outcome for _, outcome in engine.leftovers())] == concluded


def test_when_it_pays(music, model, monkeypatch):
    tracks = scan([music]).tracks
    assert whole_tracks_pay(tracks, model, Shares(2, 2))
    assert not whole_tracks_pay(tracks[:15], model, Shares(2, 2))  # too few
    assert not whole_tracks_pay(tracks, model, Shares(2, 1))  # other numbers are wanted
    web = Track("https://example.org/a.mp3", "a.mp3")
    assert not whole_tracks_pay([*tracks, web], model, Shares(2, 2))
    with monkeypatch.context() as patch:
        patch.setenv("ESSENTIA_MAEST_PROFILE", "profile")
        assert not whole_tracks_pay(tracks, model, Shares(2, 2))
    wanted = 2 * (whole_tracks.PROCESS_BYTES + 3 * UNTRAINED.stat().st_size)
    monkeypatch.setattr(whole_tracks, "memory_left", lambda: 2 * wanted)
    assert whole_tracks_pay(tracks, model, Shares(2, 2))
    for left in (2 * wanted - 2, None):
        monkeypatch.setattr(whole_tracks, "memory_left", lambda left=left: left)
        assert not whole_tracks_pay(tracks, model, Shares(2, 2))


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "max"}, None),
        ({"memory.max": "1000000"}, 1_000_000 - 600_000 + 250_000),
        ({"memory.max": "500000"}, 150_000),
        ({}, None),
    ],
)
@pytest.mark.parametrize("older", [False, True])
def test_memory_that_a_container_leaves(tmp_path, monkeypatch, files, left, older):
    names = {
        "memory.max": "memory/memory.limit_in_bytes",
        "memory.current": "memory/memory.usage_in_bytes",
        "memory.stat": "memory/memory.stat",
    }
    told = {**files, "memory.current": "600000", "memory.stat": "anon 1\ninactive_file 250000\n"}
    for name, text in told.items():
        path = tmp_path / (names[name] if older else name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    monkeypatch.setattr(machine, "_memory_of_machine", lambda: 10**9)
    assert machine.memory_left() == (10**9 if left is None else left)


def test_what_is_not_quick_is_concluded_in_threads(music, model, monkeypatch):
    monkeypatch.setattr(local_engine, "WholeTracks", None)
    engine = local_engine.LocalEngine(
        model, AnalysisOptions.of(block=1), Shares(1, 1), _name, open_audio=maest.AudioFile
    )
    assert len(list(engine.run(scan([music]).tracks))) == 16


def _name(analysed: Analysed) -> str:
    return analysed.track.path
