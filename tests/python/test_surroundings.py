"""The command where something that others take for granted is missing: clear lines, right codes."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audio_fixtures import write_audio
from essentia_maest import AudioFileError, load_audio
from essentia_maest.collection.side_by_side import SideBySide
from essentia_maest.commands.cli import BAD_USAGE, STOPPED_EARLY, main
from essentia_maest.errors import StoppedEarlyError, ends_all_work, in_words
from untrained import UNTRAINED

MAEST = f"{sys.executable} -m essentia_maest"


def shell(line: str, folder: Path, **more) -> subprocess.CompletedProcess[str]:
    """Run a line as a shell does; what closes or redirects stands in it."""
    return subprocess.run(
        ["bash", "-c", line.replace("MAEST", MAEST)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=folder,
        **more,
    )


def analyze(folder: Path) -> str:
    more = "--block 1 --workers 1 --format files"
    return f"MAEST analyze {folder}/in -o {folder}/out --model {UNTRAINED} {more}"


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in "ab":
        write_audio(tmp_path / "in" / f"{name}.wav", 0.5, 16000, 1)
    return tmp_path


def results(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").glob("*.wav.json"))


def test_a_working_directory_that_was_deleted(folder):
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; {analyze(folder)}", folder)
    assert done.returncode == BAD_USAGE
    assert done.stderr == (
        "maest: the working directory does not exist any more; change into one that does\n"
    )


@pytest.mark.parametrize(
    "lost",
    [
        *(">&-", "2>&-", ">&- 2>&- <&-", "2>/dev/full", ">/dev/full 2>&1", "2> >(true)"),
        "2>&1 | head -1; exit ${PIPESTATUS[0]}",
    ],
    ids=repr,
)
def test_a_lost_log_costs_no_result(folder, lost):
    done = shell(f"{analyze(folder)} {lost}", folder)
    assert done.returncode == 0, done.stderr
    assert results(folder) == ["a.wav.json", "b.wav.json"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["info default", "info default --json", "models"])
def test_answers_that_cannot_be_printed(tmp_path, command):
    for lost, words in ((">&-", "stdout is closed"), (">/dev/full", "No space left on device")):
        done = shell(f"MAEST {command} {lost}", tmp_path)
        assert done.returncode == STOPPED_EARLY
        (line,) = done.stderr.splitlines()
        assert line.startswith("maest: stopped early: ")
        assert words in line


def test_labels_that_cannot_be_printed(folder):
    one = f"MAEST analyze {folder}/in/a.wav -o {folder}/out --model {UNTRAINED} --format files"
    full = shell(f"{one} >/dev/full", folder)
    assert full.returncode == 0  # they are in the results, too
    assert "No space left on device; the results are not touched by it" in full.stderr
    assert results(folder) == ["a.wav.json"]
    # Who reads the first line only has what they want.
    some = shell(f"{one} | head -n 1; exit ${{PIPESTATUS[0]}}", folder)
    assert some.returncode == 0


def limit_files(size: int):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_no_room_for_results_stops_early(folder):
    done = shell(analyze(folder), folder, preexec_fn=limit_files(100))
    assert done.returncode == STOPPED_EARLY
    assert "stopped early: results cannot be written: OSError: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert results(folder) == []
    # With room for arrays and summary, but not for a JSON file: what failed says why.
    done = shell(analyze(folder), folder, preexec_fn=limit_files(5_500))
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert done.returncode == (STOPPED_EARLY if summary["failures"] else 0)
    assert {failure["error"] for failure in summary["failures"]} <= {"EFBIG"}
    counts = summary["counts"]
    parts = ("analyzed", "resumed", "failed", "not_reached")
    assert counts["found"] == 2 == sum(counts[part] for part in parts)


def test_no_room_for_a_model_stops_early(tmp_path):
    line = "MAEST convert --random-weights tiny model.onnx"
    done = shell(line, tmp_path, preexec_fn=limit_files(10_000))
    assert done.returncode == STOPPED_EARLY, done.stderr
    assert done.stderr.startswith("maest: stopped early: ")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_at_the_beginning_is_no_bad_usage(folder, monkeypatch, capsys):
    def refuse(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    assert main(["analyze", str(folder / "in"), "-o", str(folder / "out")]) == STOPPED_EARLY
    assert "No space left on device" in capsys.readouterr().err


def with_few_processes(count: int) -> list[str]:
    """Words before a command that limit how many processes and threads it may have."""
    prlimit, setpriv = shutil.which("prlimit"), shutil.which("setpriv")
    if prlimit is None:
        pytest.skip("prlimit is not installed")
    if os.geteuid():
        return [prlimit, f"--nproc={count}"]
    if setpriv is None:
        pytest.skip("setpriv is not installed, and no limit holds for root")
    powers = "+dac_read_search,+dac_override"
    return [
        *(prlimit, f"--nproc={count}", setpriv, "--reuid", "65534", "--clear-groups"),
        *("--inh-caps", powers, "--ambient-caps", powers),
        *("--bounding-set", "-sys_resource,-sys_admin"),
    ]


@pytest.mark.parametrize("count", [3])
def test_no_processes_and_no_threads_to_be_had(folder, count):
    command = [*with_few_processes(count), *analyze(folder).replace("MAEST", MAEST).split()]
    # OpenBLAS would start threads while numpy is imported, and ends the program where it cannot.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    assert done.returncode == STOPPED_EARLY, done.stderr
    assert "Traceback" not in done.stderr
    assert "can be started (see `ulimit -u`, or the limit of the container)" in done.stderr
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert "can be started" in summary["stopped"]
    counts = summary["counts"]
    assert counts["not_reached"] > 0
    assert counts["not_reached"] + counts["analyzed"] + counts["failed"] == 2


def test_a_thread_that_cannot_start_is_told(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    with SideBySide(2, lambda: None) as together:
        monkeypatch.setattr("threading.Thread.start", refuse)
        with pytest.raises(StoppedEarlyError, match="no thread can be started"):
            together.begin(int)


@pytest.mark.parametrize("option", ["--threads", "--workers"])
@pytest.mark.parametrize("count", ["20000", "-1", "1025"])
def test_more_threads_than_any_machine_has(folder, option, count, capsys):
    command = ["analyze", str(folder / "in"), "-o", str(folder / "out"), option, count]
    assert main(command) == BAD_USAGE
    assert capsys.readouterr().err.startswith(f"maest: {option[2:]} is {count}; 1")


def test_what_ends_all_work():
    def caused(error: Exception, cause: Exception) -> Exception:
        error.__cause__ = cause
        return error

    full = OSError(errno.ENOSPC, "No space left on device")
    assert ends_all_work(full)
    assert ends_all_work(caused(ValueError("x"), full))
    assert ends_all_work(StoppedEarlyError("x"))
    assert not ends_all_work(FileNotFoundError(errno.ENOENT, "No such file or directory"))
    assert not ends_all_work(RuntimeError("x"))
    assert not ends_all_work(None)
    assert in_words(full) == "OSError: No space left on device"


def test_the_systems_error_survives(tmp_path, monkeypatch):
    with pytest.raises(AudioFileError, match="no such file") as caught:
        load_audio(tmp_path / "none.wav")
    assert caught.value.errno == errno.ENOENT
    path = write_audio(tmp_path / "a.wav")

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(AudioFileError, match=r"a\.wav: cannot be read: Input/output") as caught:
        load_audio(path)
    assert caught.value.errno == errno.EIO


def test_ctrl_c_while_the_command_is_imported():
    code = (
        "import runpy, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'essentia_maest.commands.cli': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "runpy.run_module('essentia_maest', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_an_account_that_cannot_be_printed(tmp_path):
    """Nothing is left to analyse: the account is all that a run has to print."""
    for number in range(10):
        write_audio(tmp_path / "in" / f"{number}.wav", 0.5, 16000, 1, seed=number)
    line = f"MAEST analyze {tmp_path}/in -o {tmp_path}/out --model {UNTRAINED} --block 1 --resume"
    told = shell(line, tmp_path)
    assert "what stands out in 10 tracks" in told.stdout
    again = shell(line, tmp_path)
    assert again.stdout.startswith("what stands out in 10 tracks")
    full = shell(f"{line} >/dev/full", tmp_path)
    assert full.returncode == 0
    assert "No space left on device; the results are not touched by it" in full.stderr
