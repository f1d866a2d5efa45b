"""Runs into tables that are killed or stopped, or have no room: what counts is whole."""

from __future__ import annotations

import errno
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Model
from essentia_maest.collection import table_sink
from essentia_maest.commands.cli import STOPPED_EARLY
from essentia_maest.results.parquet import read_table
from table_runs import names, rows, run, table, write_music
from untrained import UNTRAINED


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(UNTRAINED, num_threads=1)


@pytest.fixture
def music(tmp_path) -> Path:
    return write_music(tmp_path / "music")


def test_a_full_disk_stops_and_what_was_written_counts(tmp_path, music, model, monkeypatch):
    real, parts = table_sink.PartsFolder.write_made, []

    def full_after_one(self, *arguments, **more):
        if parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, *arguments, **more)
        parts.append(arguments)

    with monkeypatch.context() as patch:
        patch.setattr(table_sink.PartsFolder, "write_made", full_after_one)
        report = run(model, music, tmp_path / "out", sink={"most_tracks": 1})
    assert "results cannot be written: OSError: No space left" in report.stopped
    assert len(table(tmp_path / "out")["id"]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["counts"]["analyzed"] == 1
    assert run(model, music, tmp_path / "out", resume=True).resumed == 1
    run(model, music, tmp_path / "whole")
    assert rows(tmp_path / "out") == rows(tmp_path / "whole")


def test_no_room_for_tables_stops_early(tmp_path, music):
    command = f"ulimit -f 10; exec {sys.executable} -m essentia_maest analyze {music}"
    done = subprocess.run(
        ["bash", "-c", f"{command} -o {tmp_path}/out --model {UNTRAINED}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == STOPPED_EARLY, done.stderr
    assert "results cannot be written: OSError: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in names(tmp_path / "out") if path.endswith(".part")]


#: Parts of two tracks, so that a run writes many.
_KILLED = """
import sys
from essentia_maest.collection import table_sink
table_sink.TableSink.__init__.__kwdefaults__["most_tracks"] = 2
from essentia_maest.commands.cli import main
sys.exit(main())
"""


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_rows_of_a_whole_one(tmp_path, model):
    music = tmp_path / "music"
    for number in range(24):
        write_audio(music / f"{number:02}.flac", 6.0, 16000, 1, seed=number)
    (music / "bad.flac").write_bytes(b"no")
    run(model, music, tmp_path / "whole", sink={"most_tracks": 2})
    command = [
        *(sys.executable, "-c", _KILLED, "analyze", str(music), "--model", str(UNTRAINED)),
        *("--block", "1", "--top-k", "2", "--workers", "1", "--threads", "2", "--quiet"),
    ]
    moments = random.Random(0)
    for attempt in range(5):
        out = tmp_path / f"out{attempt}"
        for _ in range(10):
            process = subprocess.Popen(
                [*command, "-o", str(out), "--resume"], stderr=subprocess.PIPE, text=True
            )
            patience = time.monotonic() + 60
            parts = len(list(out.glob("tracks/part-*")))
            while (
                process.poll() is None
                and len(list(out.glob("tracks/part-*"))) == parts
                and time.monotonic() < patience
            ):
                time.sleep(0.01)
            time.sleep(moments.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            assert "Traceback" not in process.communicate()[1]
            for path in out.rglob("*.parquet"):
                read_table(path)  # raises where it is not whole
            found = SimpleNamespace(ids=[])
            if list(out.glob("tracks/part-*")):
                found = maest.open_results(out)
            assert len(set(found.ids)) == len(found.ids)
        report = run(model, music, out, resume=True)
        assert report.resumed > 0
        assert not [name for name in names(out) if name.startswith(".maest-")]
        for name in ("tracks", "segments", "failures"):
            assert rows(out, name) == rows(tmp_path / "whole", name)
        assert {path.name for path in (out / "segments").iterdir()} == {
            read_table_name(path) for path in (out / "tracks").iterdir()
        }


def read_table_name(path: Path) -> str:
    metadata = dict(read_table(path).schema.metadata)[b"essentia_maest"]
    return json.loads(metadata)["segments_file"]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_writes_its_last_part(tmp_path, model, number, code):
    music, out = tmp_path / "music", tmp_path / "out"
    for index in range(40):
        write_audio(music / f"{index:02}.flac", 8.0, 16000, 1, seed=index)
    command = [
        *(sys.executable, "-c", _KILLED.replace("= 2", "= 3"), "analyze", str(music)),
        *("-o", str(out), "--model", str(UNTRAINED), "--block", "1", "--top-k", "2"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 60
    while not list(out.glob("tracks/part-*")) and time.monotonic() < patience:
        time.sleep(0.01)
    process.send_signal(number)
    assert "Traceback" not in process.communicate()[1]
    assert process.returncode == code
    summary = json.loads((out / "summary.json").read_text())
    done = len(maest.open_results(out).ids)
    assert 3 <= done < 40
    assert summary["counts"]["analyzed"] == done
    assert not [name for name in names(out) if name.startswith(".maest-")]
    report = run(model, music, out, resume=True)
    assert (report.resumed, report.analyzed) == (done, 40 - done)
