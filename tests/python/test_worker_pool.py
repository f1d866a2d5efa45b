"""Decode workers: what dies or hangs costs one file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from audio_fixtures import (
    decode_and_leave_a_mark,
    decode_or_misbehave,
    make_scrap_and_die,
    short_limit,
    write_audio,
)
from essentia_maest import load_audio
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track
from essentia_maest.collection.worker_pool import Done, WorkerPool
from essentia_maest.collection.worker_processes import time_limit


def decode_all(paths: list[Path], workers: int, work, limit) -> dict[str, Done | Failure]:
    tracks = [Track(str(path), path.name) for path in paths]
    with WorkerPool(workers, work, limit) as pool:
        outcomes = list(pool.run(tracks))
    assert len(outcomes) == len(tracks)
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
        assert isinstance(good, Done)
        np.testing.assert_array_equal(good.result, load_audio(tmp_path / f"good-{index}.wav"))


@pytest.mark.slow
def test_few_tracks_are_decoded_ahead(tmp_path):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(8)]
    tracks = [Track(str(path), path.name) for path in paths]
    taken = 0
    with WorkerPool(2, decode_and_leave_a_mark) as pool:
        for outcome in pool.run(tracks):
            assert isinstance(outcome, Done)
            taken += 1
            time.sleep(0.3)
            decoded = len(list(tmp_path.glob("*.decoded")))
            assert decoded <= taken + 2 + 1
    assert taken == 8


def worker_pids() -> list[int]:
    return [
        int(child)
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
    ]


@pytest.mark.slow
@pytest.mark.parametrize("victims", [1, 2])
def test_workers_that_die_while_they_wait_cost_nothing(tmp_path, victims):
    paths = [write_audio(tmp_path / f"{index}.wav", 0.05) for index in range(9)]
    tracks = [Track(str(path), path.name) for path in paths]
    found = []
    with WorkerPool(2, load_audio) as pool:
        for outcome in pool.run(tracks):
            found.append(outcome)
            if len(found) in (1, 4):
                time.sleep(2.0)  # all that may be done ahead is done: they wait
                for pid in worker_pids()[:victims]:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.5)
    assert all(isinstance(outcome, Done) for outcome in found), found
    assert sorted(outcome.track.result for outcome in found) == [path.name for path in paths]


def test_the_first_process_too_is_not_reached_by_ctrl_c():
    """multiprocessing's helper, which comes with the first, must not let SIGINT through again."""
    code = (
        "import multiprocessing, signal, time\n"
        "from essentia_maest.collection.worker_processes import interrupts_held\n"
        "context = multiprocessing.get_context('spawn')\n"
        "processes = [context.Process(target=time.sleep, args=(60,)) for _ in range(2)]\n"
        "with interrupts_held():\n"
        "    for process in processes: process.start()\n"
        "for process in processes:\n"
        "    status = open(f'/proc/{process.pid}/status').read()\n"
        "    blocked = int(status.partition('SigBlk:')[2].split()[0], 16)\n"
        "    print(bool(blocked >> signal.SIGINT - 1 & 1))\n"
        "    process.kill()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_a_crash_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    path = tmp_path / "segfaults.wav"
    path.touch()
    with WorkerPool(1, make_scrap_and_die) as pool:
        (outcome,) = pool.run([Track(str(path), path.name)])
        assert isinstance(outcome, Failure)
        assert list(own.rglob("scrap"))
    assert not list(own.iterdir())


def test_nothing_to_decode_starts_no_process():
    with WorkerPool(2, load_audio) as pool:
        assert list(pool.run([])) == []
        assert pool._pool is None


def test_time_limit_grows_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(2_000_000))
    assert time_limit(str(path)) == 140.0
    assert time_limit(str(tmp_path / "missing")) == 120.0
