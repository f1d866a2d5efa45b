"""Worker processes: what dies or hangs costs one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
from essentia_maest import StoppedEarlyError, load_audio
from essentia_maest.collection import workers as workers_module
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track
from essentia_maest.collection.worker_pool import Done, WorkerPool
from essentia_maest.collection.worker_processes import WorkerProcess, time_limit
from worker_helpers import worker_pids


def tracks_of(paths: list[Path]) -> list[Track]:
    return [Track(str(path), path.name) for path in paths]


def decode_all(paths: list[Path], workers: int, work, limit) -> dict[str, Done | Failure]:
    with WorkerPool(workers, work, limit) as pool:
        outcomes = list(pool.run(tracks_of(paths)))
    assert len(outcomes) == len(paths)
    return {
        os.path.basename(one.path if isinstance(one, Failure) else one.track.path): one
        for one in outcomes
    }


@pytest.mark.slow
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
        [*paths, tmp_path / "empty.wav"], workers, decode_or_misbehave, short_limit
    )
    failures = {name: one.reason for name, one in outcomes.items() if isinstance(one, Failure)}
    assert "is empty" in failures.pop("empty.wav")
    assert failures == {
        "exits.wav": "the decoder crashed (exit status 3)",
        "segfaults.wav": "the decoder crashed (SIGSEGV)",
        "hangs.wav": "decoding took longer than 4 s",
        "raises.wav": "RuntimeError: strange decoder",
        "segfaults-too.wav": "the decoder crashed (SIGSEGV)",
    }
    for index in range(len(bad)):
        good = outcomes[f"good-{index}.wav"]
        assert isinstance(good, Done)
        np.testing.assert_array_equal(good.result, load_audio(tmp_path / f"good-{index}.wav"))


@pytest.mark.slow
def test_few_tracks_are_decoded_ahead(tmp_path):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(8)]
    taken = 0
    with WorkerPool(2, decode_and_leave_a_mark) as pool:
        for outcome in pool.run(tracks_of(paths)):
            assert isinstance(outcome, Done)
            taken += 1
            time.sleep(0.3)
            decoded = len(list(tmp_path.glob("*.decoded")))
            assert decoded <= taken + 2 + 1
    assert taken == 8


@pytest.mark.slow
@pytest.mark.parametrize("victims", [1, 2])
def test_workers_that_die_while_they_wait_cost_nothing(tmp_path, victims):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(9)]
    found = []
    with WorkerPool(2, load_audio) as pool:
        for outcome in pool.run(tracks_of(paths)):
            found.append(outcome)
            if len(found) in (1, 4):
                time.sleep(2.0)  # all that may be done ahead is done: they wait
                for pid in worker_pids()[:victims]:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.5)
    assert all(isinstance(outcome, Done) for outcome in found), found
    assert sorted(outcome.track.result for outcome in found) == [path.name for path in paths]


def test_workers_are_replaced_after_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(workers_module, "TASKS_PER_WORKER", 2)
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(5)]
    seen = set()
    with WorkerPool(1, load_audio) as pool:
        for outcome in pool.run(tracks_of(paths)):
            assert isinstance(outcome, Done)
            seen.update(worker_pids())
    assert len(seen) >= 2


def test_a_pool_can_be_run_again(tmp_path):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(2)]
    with WorkerPool(1, load_audio) as pool:
        for _ in range(2):
            assert len(list(pool.run(tracks_of(paths)))) == 2
            assert len(worker_pids()) == 1


def test_workers_that_cannot_start_end_the_work_with_a_reason(tmp_path, monkeypatch):
    path = write_audio(tmp_path / "a.wav", 0.05)
    monkeypatch.setattr(
        "essentia_maest.collection.worker_processes._PROGRAM", "import nothing_here"
    )
    with (
        WorkerPool(1, load_audio) as pool,
        pytest.raises(StoppedEarlyError, match=r"cannot start: exit status 1 \(what they printed"),
    ):
        list(pool.run(tracks_of([path])))


def test_ctrl_c_does_not_reach_workers():
    worker = WorkerProcess(load_audio)
    try:
        worker.receive()  # it has started
        (pid,) = worker_pids()
        status = Path(f"/proc/{pid}/status").read_text()
        blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
        assert blocked >> (signal.SIGINT - 1) & 1
    finally:
        worker.end(kill=True)


def test_a_script_needs_no_guard(tmp_path):
    """Nothing of the main module runs again in the workers."""
    path = write_audio(tmp_path / "a.wav", 0.5)
    script = tmp_path / "script.py"
    script.write_text(
        "print('runs')\n"
        "import essentia_maest as maest\n"
        f"for found in maest.analyze_files([{str(path)!r}], outputs=['predictions']):\n"
        "    print(found.predictions.shape)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == ["runs", "(1, 157)"]
    assert done.stderr == ""


def test_modules_in_the_working_directory_are_not_imported(tmp_path, monkeypatch):
    for name in ("json", "numpy", "pickle", "essentia_maest"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')\n")
    path = write_audio(tmp_path / "a.wav", 0.1)
    monkeypatch.chdir(tmp_path)
    (outcome,) = decode_all([path], 1, load_audio, short_limit).values()
    assert isinstance(outcome, Done)


def test_nothing_to_decode_starts_no_process():
    with WorkerPool(2, load_audio) as pool:
        assert list(pool.run([])) == []
        assert worker_pids() == []


def test_time_limit_grows_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(2_000_000))
    assert time_limit(str(path)) == 140.0
    assert time_limit(str(tmp_path / "missing")) == 120.0
