"""`python -m training`: arguments, exit codes, and one line for what is wrong."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

import lab.cli
import training.cli
import training.command_line
from run_fixtures import make_dataset, make_experiment
from training.cli import COMMANDS, main
from training.command_line import Command, CommandLine
from training.data.report import Report
from training.errors import DataError, StoppedError
from training.run.config_file import write_experiment

ROOT = Path(__file__).resolve().parents[2]


class Told(NamedTuple):
    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Told:
    code = main([str(argument) for argument in arguments])
    return Told(code, *capsys.readouterr())


def only_line(told: Told) -> str:
    (line,) = told.err.strip().splitlines()
    return line


PROGRAMS = {"training": training.cli, "lab": lab.cli}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_command_at_once(program: str) -> None:
    before = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", program, "--help"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert time.monotonic() - before < 3.0
    for name in PROGRAMS[program].COMMANDS:
        assert f"  {name}" in done.stdout


@pytest.mark.parametrize(
    ("program", "name"), [(p, name) for p, module in PROGRAMS.items() for name in module.COMMANDS]
)
def test_every_command_has_help(
    program: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        PROGRAMS[program].main([*name.split(), "--help"])
    assert ended.value.code == 0
    assert f"usage: python -m {program} {name}" in capsys.readouterr().out


def test_commands_that_moved_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["corpus", "smoke", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr()
    assert "usage: python -m lab corpus smoke" in told.out
    assert "'corpus' is now a command of `python -m lab`" in told.err


def test_no_command_and_unknown_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys).code == 2
    told = run(capsys, "fly")
    assert told.code == 2
    assert "no command 'fly'" in only_line(told)
    assert run(capsys, "corpus").code == 2


def test_wrong_arguments_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["curves"], ["curves", tmp_path, "--colour=1"], ["evaluate", "--split=x"]):
        told = run(capsys, *arguments)
        assert told.code == 2
        assert only_line(told).startswith("python -m training: ")


def test_bad_data_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = run(capsys, "evaluate", tmp_path / "none.ckpt", "--computing.workers=0")
    assert told.code == 2
    assert "none.ckpt: there is no such checkpoint" in only_line(told)


def test_a_wrong_configuration_names_file_and_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("recipe: {epohs: 3}\ndata: {dataset: d}\nrun: {folder: r}\n")
    for arguments in (["--config", path], [f"--config={path}"]):
        told = run(capsys, "fit", *arguments)
        assert told.code == 2
        assert str(path) in only_line(told)
        assert "epohs" in only_line(told)
    path.write_text("data: {dataset: d}\nrun: {folder: r}\n")
    told = run(capsys, "fit", "--config", path, "--recipe.epochs=1")
    assert "recipe.averaging.start is 50" in only_line(told)
    assert run(capsys, "fit").code == 2


@pytest.mark.slow
def test_fit_evaluate_and_curves(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    config = tmp_path / "experiment.yaml"
    write_experiment(make_experiment(dataset, tmp_path / "run", epochs=2), config)
    told = run(capsys, "fit", "--config", config, "--run.seed=5")
    assert told.code == 0
    assert "epoch 2 of 2: training loss" in told.err
    again = run(capsys, "fit", "--config", config, "--run.seed=5")
    assert again.code == 2
    assert "--resume" in only_line(again)
    changed = run(capsys, "fit", "--config", config, "--resume")
    assert changed.code == 2
    assert "run.seed (was 5, is 0)" in only_line(changed)
    assert run(capsys, "fit", "--config", config, "--run.seed=5", "--resume").code == 0

    checkpoint = tmp_path / "run" / "final.ckpt"
    scores = tmp_path / "scores.json"
    told = run(capsys, "evaluate", checkpoint, "--output", scores, "--computing.workers=0")
    assert told.code == 0
    assert "test, 15 tracks: mAP" in told.err
    assert scores.exists()
    told = run(capsys, "curves", tmp_path / "run")
    assert told.out.strip() == str(tmp_path / "run" / "curves.png")


@pytest.mark.slow
def test_a_full_disk_in_a_checkpoint_is_one_line(tmp_path: Path) -> None:
    make_dataset(tmp_path / "dataset")
    experiment = make_experiment(tmp_path / "dataset", tmp_path / "run", epochs=2)
    write_experiment(experiment, tmp_path / "config.yaml")

    def limit() -> None:
        # What comes before the first checkpoint is smaller.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [sys.executable, "-m", "training", "fit", f"--config={tmp_path / 'config.yaml'}"],
        preexec_fn=limit, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == (
        f"python -m training: stopped early: [Errno {errno.EFBIG}] File too large: '{last}'"
    )
    assert "Traceback" not in done.stderr
    assert not list(last.parent.iterdir())


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 3), (errno.EDQUOT, 3), (errno.EAGAIN, 3), (errno.EISDIR, 2)]
)
def test_what_the_machine_lacks_ends_with_3(
    number: int,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        try:
            raise OSError(number, os.strerror(number), "a/file")
        except OSError as error:
            raise DataError(f"set: cannot be written: {error}") from error

    module = SimpleNamespace(function=fail)
    monkeypatch.setattr(training.command_line, "import_module", lambda name: module)
    monkeypatch.setitem(COMMANDS, "table", Command("x", "function", "test"))
    told = run(capsys, "table")
    assert told.code == code
    assert only_line(told).startswith("python -m training: stopped early: ") == (code == 3)
    assert "a/file" in only_line(told)


def test_refusals_end_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report()
    for refused, code in ((False, 0), (True, 1)):
        if refused:
            report.add("too short", "track 3")

        monkeypatch.setattr(training.command_line, "import_module", lambda name: _Module(report))
        monkeypatch.setitem(COMMANDS, "table", Command("x", "function", "test"))
        told = run(capsys, "table")
        assert told.code == code
    assert "too short" in told.out


class _Module:
    def __init__(self, report: Report) -> None:
        self.function = lambda: report


def test_a_damaged_shard_is_named(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The error of a reading process is one line here too."""
    dataset = make_dataset(tmp_path / "dataset")
    config = tmp_path / "experiment.yaml"
    experiment = make_experiment(dataset, tmp_path / "run", epochs=2)
    write_experiment(experiment, config)
    shard = next(path for path in sorted(dataset.rglob("*")) if path.suffix == ".arrow")
    shard.write_bytes(bytes(shard.stat().st_size))
    code = main(["fit", "--config", str(config), "--data.workers=1"])
    told = capfd.readouterr().err.strip().splitlines()
    assert code == 2
    assert shard.name in told[-1]
    assert not any(line.startswith("Traceback") for line in told)
    assert not active_children()


def test_interruption_is_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(CommandLine, "_run", interrupted)
    told = run(capsys, "curves", "x")
    assert told.code == 130
    assert "interrupted" in only_line(told)


def test_processes_after_the_first_are_quiet(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import training.command_line as c, logging; c._set_up_logging(); "
         "logging.getLogger('training').info('heard')"],
        cwd=ROOT, env={**os.environ, "LOCAL_RANK": "1"}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "heard" not in done.stderr


def test_a_command_that_a_signal_ends_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever command trains: those of the workshop, too."""

    def stopped() -> None:
        raise StoppedError(signal.SIGTERM, "stopped after step 3")

    monkeypatch.setitem(sys.modules, "training_stopped", SimpleNamespace(stopped=stopped))
    line = CommandLine("python -m lab", "", {"stop": Command("training_stopped", "stopped", "")})
    assert line.main(["stop"]) == 128 + signal.SIGTERM
    assert only_line(Told(0, *capsys.readouterr())) == "python -m lab: stopped after step 3"
