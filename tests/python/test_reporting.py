"""What `maest analyze` tells while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest.collection import progress as progress_module
from essentia_maest.collection.outcomes import Failure, RunReport
from essentia_maest.collection.progress import (
    EventReporter,
    Lines,
    Rates,
    TrackTold,
    make_reporter,
)
from essentia_maest.commands.cli import main
from essentia_maest.progress import json_lines, tell
from untrained import UNTRAINED

COMMAND = ["--model", str(UNTRAINED), "--workers", "1", "--block", "1"]
MAEST = [sys.executable, "-m", "essentia_maest"]


@pytest.fixture
def music(tmp_path) -> Path:
    for number in range(3):
        write_audio(tmp_path / "music" / f"{number}.wav", 1.0 + number, 16000, 1, seed=number)
    (tmp_path / "music" / "bad.mp3").write_bytes(b"no music" * 100)
    return tmp_path / "music"


def test_a_line_for_each_track_on_stdout(music, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", "music", "-o", "out", *COMMAND]) == 1
    told = capsys.readouterr()
    lines = sorted(line.split("\t") for line in told.out.splitlines())
    assert [line[:2] for line in lines] == [
        [f"music/{number}.wav", f"{1.0 + number:.1f}"] for number in range(3)
    ]
    results = maest.open_results("out")
    tops = dict(zip(results.files, results.tracks["top"].to_pylist(), strict=True))
    for path, _, labels in lines:
        top = tops[str(tmp_path / path)][0]
        name = top["label"].removeprefix(f"{top['family']}---")
        assert f"{name} {top['activation']:.2f}" in labels
    assert "3 analysed" in told.err
    assert main(["analyze", "music", "-o", "quiet", *COMMAND, "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_a_reader_that_goes_away_loses_nothing(music, tmp_path):
    command = [*MAEST, "analyze", str(music), "-o", str(tmp_path / "out"), *COMMAND]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=300, check=False)
    os.close(writing)
    assert done.returncode == 1, done.stderr
    assert maest.open_results(tmp_path / "out").tracks.num_rows == 3


def events(text: str) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for line in text.splitlines():
        event = json.loads(line)
        found.setdefault(event["event"], []).append(event)
    return found


def test_events_for_servers(music, tmp_path, capsys):
    command = ["analyze", str(music), "-o", str(tmp_path / "out"), *COMMAND, "--log", "json"]
    assert main([*command, "--quiet"]) == 1
    found = events(capsys.readouterr().err)
    assert [event["tracks"] for event in found["start"]] == [4]
    assert {event["path"] for event in found["track"]} == {
        str(music / f"{number}.wav") for number in range(3)
    }
    assert all(event["labels"][0]["activation"] > 0 for event in found["track"])
    (failure,) = found["failure"]
    assert (failure["path"], failure["stage"]) == (str(music / "bad.mp3"), "decode")
    (end,) = found["end"]
    assert end["counts"]["analyzed"] == 3
    assert end["audio_seconds"] == pytest.approx(6.0)
    assert (found["progress"][-1]["done"], found["progress"][-1]["failed"]) == (4, 1)
    assert any("untrained" in event["text"] for event in found["message"])
    assert main(command) == 2  # what is refused is told so, too
    assert "--resume" in events(capsys.readouterr().err)["message"][-1]["text"]


def test_a_closed_stderr_costs_no_result(music, tmp_path):
    command = [*MAEST, "analyze", str(music), "-o", str(tmp_path / "out"), *COMMAND]
    command += ["--log", "json"]
    done = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *command], stdout=subprocess.PIPE, timeout=300, check=False
    )
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 3
    assert maest.open_results(tmp_path / "out").tracks.num_rows == 3


def test_events_come_now_and_then(capsys, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now)
    reporter = EventReporter(every=10.0)
    with json_lines():
        reporter.start(100, resumed=7)
        for _ in range(25):
            now += 1.0
            reporter.track(TrackTold("x", 120.0, []))
            reporter.done()
        reporter.failed(Failure("y\udcff", "decode", "why"))
        tell("maest: words")
        reporter.end(RunReport(found=100), 25.0)
    found = events(capsys.readouterr().err)
    assert [event["done"] for event in found["progress"]] == [10, 20, 25]
    first = found["progress"][0]
    assert first["files_per_second"] == pytest.approx(1.0)
    assert first["audio_minutes_per_second"] == pytest.approx(2.0)
    assert first["seconds_left"] == pytest.approx(90.0)
    assert found["start"][0]["resumed"] == 7
    assert found["failure"][0]["path"] == "y\\xff"
    assert found["message"][0]["text"] == "words"


def test_lines_in_a_log_file_tell_how_fast_it_goes(capsys, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    lines: list[str] = []
    with make_reporter(False, Lines(lambda told: told.path, lines.append)) as reporter:
        reporter.start(4)
        now += 40.0
        reporter.track(TrackTold("x", 2400.0, []))
        reporter.done()
        reporter.failed(Failure("y", "decode", "why"))
        now += 40.0
        reporter.done()
        reporter.end(RunReport(found=4), 80.0)
    told = capsys.readouterr().err
    assert ": 1 of 4 tracks, 0.025 files/s, 1 min of audio/s, about 2 min left\n" in told
    assert ": 2 of 4 tracks, 1 failed, 0.025 files/s, 0.5 min of audio/s" in told
    assert lines == ["x"]


def test_nothing_done_tells_no_time_left():
    assert Rates(5).seconds_left is None


def test_lines_go_above_a_bar_on_the_same_terminal(music, tmp_path):
    command = [*MAEST, "analyze", str(music), "-o", str(tmp_path / "out"), *COMMAND]
    for shared in (True, False):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        terminal, ours = pty.openpty()
        try:
            done = subprocess.Popen(
                command,
                stdout=ours if shared else subprocess.PIPE,
                stderr=ours,
                env={**os.environ, "COLUMNS": "200", "TERM": "xterm"},
            )
            os.close(ours)
            shown = b""
            with contextlib.suppress(OSError):  # the end of a terminal
                while piece := os.read(terminal, 1 << 16):
                    shown += piece
            printed = b"" if shared else done.communicate(timeout=300)[0]
            assert done.wait(300) == 1
        finally:
            os.close(terminal)
        lines = shown if shared else printed
        for number in range(3):
            assert lines.count(f"{number}.wav".encode()) == 1
        assert b"files/s" in shown
        if not shared:
            assert b".wav" not in shown
