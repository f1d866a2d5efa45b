"""How runs of the command end that are stopped, killed, or cannot start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audio_fixtures import write_audio
from command_process import FILES, MAEST, maest, make_tiny_model
from essentia_maest.collection import worker_processes
from essentia_maest.commands.cli import main


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def group_members(group: int) -> list[str]:
    """Command lines of the living processes of a process group."""
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                members.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # ended meanwhile
    return members


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_run_ends_cleanly_and_can_be_resumed(tmp_path, model_file, number, code):
    for index in range(60):
        write_audio(tmp_path / "in" / f"{index:02}.flac", 8.0, 16000, 1)
    out = tmp_path / "out"
    command = [*MAEST, "analyze", tmp_path / "in", "-o", out, "--model", model_file, *FILES]
    process = subprocess.Popen(
        [*map(os.fspath, command), "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(out.glob("*.flac.json"))) >= 3)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does: workers get it too
    else:
        process.send_signal(number)
    assert process.stderr is not None
    messages = process.stderr.read()
    assert process.wait(60) == code
    assert "Traceback" not in messages
    # multiprocessing's resource tracker notices our end, and ends.
    wait_for(lambda: not group_members(process.pid), 10)

    done = sorted(path.name for path in out.glob("*.flac.json"))
    assert 3 <= len(done) < 60
    for name in done:
        json.loads((out / name).read_text())
    assert not list(out.glob(".maest-*"))
    summary = json.loads((out / "summary.json").read_text())
    assert summary["stopped"] == "interrupted"
    assert summary["counts"]["analyzed"] == len(done)

    rest = maest(*command[3:], "--resume")
    assert rest.returncode == 0, rest.stderr
    assert f"{60 - len(done)} analysed" in rest.stderr
    assert f"{len(done)} done before" in rest.stderr


_INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *rest):
        if name == "essentia_maest.model":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""
_SCRIPT = "import sys; from essentia_maest.commands.cli import main; sys.exit(main())"


@pytest.mark.parametrize("way", ["module", "script", "library"])
def test_ctrl_c_while_the_command_is_imported_is_quiet(tmp_path, way):
    (tmp_path / "sitecustomize.py").write_text(_INTERRUPTED_IMPORT)
    (tmp_path / "maest").write_text(_SCRIPT)
    # What imports the package for itself has what Python does.
    command = {
        "module": ["-m", "essentia_maest", "--version"],
        "script": [str(tmp_path / "maest"), "--version"],
        "library": ["-c", "import essentia_maest"],
    }[way]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert ("KeyboardInterrupt" in done.stderr) == (way == "library")
    assert done.stdout == ""


@pytest.mark.slow
def test_ctrl_c_at_any_moment_of_the_start_is_heard_and_quiet(tmp_path, model_file):
    """The interpreter starts, then the command, then its workers, each with imports of its own."""
    for index in range(60):
        write_audio(tmp_path / "in" / f"{index:02}.flac", 8.0, 16000, 1)
    command = [*MAEST, "analyze", tmp_path / "in", "--model", model_file, "--workers", "2"]
    begun = time.monotonic()
    assert maest("--version").returncode == 0
    start = time.monotonic() - begun  # of the interpreter alone, on whatever machine this is
    for share in (1.0, 1.6, 2.2, 3.0):
        process = subprocess.Popen(
            [*map(os.fspath, command), "-o", str(tmp_path / f"out {share}")],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(share * start)
        os.killpg(process.pid, signal.SIGINT)
        _, messages = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT), messages
        assert "Traceback" not in messages
        wait_for(lambda group=process.pid: not group_members(group), 10)


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_run(tmp_path, model_file):
    for index in range(40):
        write_audio(tmp_path / "in" / f"{index:02}.flac", 8.0, 16000, 1)
    out = tmp_path / "out"
    command = [*MAEST, "analyze", tmp_path / "in", "-o", out, "--model", model_file, *FILES]
    process = subprocess.Popen(
        [*map(os.fspath, command), "--workers", "2"],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: len(list(out.glob("*.flac.json"))) >= 2)
    process.kill()
    process.wait(60)
    wait_for(lambda: not group_members(process.pid))
    for path in out.glob("*.json"):
        json.loads(path.read_text())


def test_workers_that_cannot_start_end_the_run(tmp_path, model_file, monkeypatch, capfd) -> None:
    write_audio(tmp_path / "music" / "a.wav")
    monkeypatch.setattr(worker_processes, "_PROGRAM", "import nothing_of_this_name")
    command = ["analyze", str(tmp_path / "music"), "-o", str(tmp_path / "out"), *FILES]
    assert main([*command, "--model", str(model_file)]) == 3
    told = capfd.readouterr().err
    assert "nothing_of_this_name" in told
    assert "cannot start" in told.splitlines()[-1]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "cannot start" in summary["stopped"]
    assert summary["counts"]["not_reached"] == 1
