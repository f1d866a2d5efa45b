"""A run that was interrupted, in any way, and resumed ends as the one that was not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import training.run.loop
import training.run.scoring
from run_fixtures import make_dataset, make_experiment, rows_without_clock
from training.config import AveragingConfig, Experiment, ModelConfig
from training.errors import CheckpointError, ConfigError, StoppedError
from training.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.run.config_file import write_experiment
from training.run.fit import fit
from training.run.logs import read_rows
from training.run.position import Position

ROOT = Path(__file__).resolve().parents[2]
# 128 training tracks in steps of 4: epochs end at steps 32, 64 and 96.
STEPS = 32


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are in the same order in this process and in those that are interrupted."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("resume") / "dataset", tracks=256)


def experiment_in(dataset: Path, folder: Path, *, minutes: float = 60.0) -> Experiment:
    experiment = make_experiment(
        dataset, folder, epochs=3, batch=4, micro_batch=2, averaging=AveragingConfig(2, 1)
    )
    return replace(experiment, run=replace(experiment.run, checkpoint_minutes=minutes))


@pytest.fixture(scope="module")
def whole(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "whole"
    fit(experiment_in(dataset, folder))
    return folder


def interrupt(experiment: Experiment, number: int, step: int) -> int:
    """Run in a process of its own, send a signal once a step is logged; gives the exit code."""
    config = experiment.run.folder.with_suffix(".yaml")
    write_experiment(experiment, config)
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "fit", "--config", str(config)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = experiment.run.folder / "log.csv"
    try:
        while process.poll() is None and not (
            log.exists() and any(row["step"] >= step for row in read_rows(log))
        ):
            time.sleep(0.002)
        process.send_signal(number)
        return process.wait(60)
    finally:
        process.kill()
        process.wait()


def assert_same(folder: Path, whole: Path) -> None:
    one, other = load_checkpoint(folder / "final.ckpt"), load_checkpoint(whole / "final.ckpt")
    assert one.averaged is not None
    assert other.averaged is not None
    for name, value in other.network.items():
        assert torch.equal(one.network[name], value), name
    for name, value in other.averaged.items():
        assert torch.equal(one.averaged[name], value), name
    assert one.averaged_models == other.averaged_models == 2
    assert one.progress == other.progress
    for log in ("log.csv", "epochs.csv"):
        assert rows_without_clock(folder / log) == rows_without_clock(whole / log)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 128 + signal.SIGINT)]
)
def test_a_run_that_a_signal_ends_goes_on_as_if_it_had_not(
    number: int, code: int, dataset: Path, whole: Path, tmp_path: Path
) -> None:
    # A checkpoint after every step, or none but the one that the signal asks for.
    minutes = 1e-9 if number == signal.SIGKILL else 60.0
    experiment = experiment_in(dataset, tmp_path / "run", minutes=minutes)
    assert interrupt(experiment, number, STEPS + 6) == code
    progress = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt").progress
    assert STEPS < progress["step"] < 2 * STEPS
    assert 0 < progress["position"] < STEPS
    with pytest.raises(ConfigError, match="--resume"):
        fit(experiment)
    fit(experiment, resume=True)
    assert_same(tmp_path / "run", whole)
    if number == signal.SIGKILL:
        # What a kill before the first checkpoint leaves: logs only.
        shutil.rmtree(tmp_path / "run" / "checkpoints")
        (tmp_path / "run" / "final.ckpt").unlink()
        fit(experiment, resume=True)
        assert_same(tmp_path / "run", whole)


def test_stopped_while_validating(
    dataset: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = training.run.scoring.predict_tracks
    calls = []

    def stop_the_second(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return original(*arguments, **options)

    monkeypatch.setattr(training.run.scoring, "predict_tracks", stop_the_second)
    experiment = experiment_in(dataset, tmp_path / "run")
    with pytest.raises(StoppedError, match="--resume goes on") as stopped:
        fit(experiment)
    assert stopped.value.signal == signal.SIGTERM
    last = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert (last.progress["epoch"], last.progress["position"]) == (1, STEPS)
    # The mean of weights was taken before the validation, and is not taken twice.
    assert last.averaged_models == 1
    fit(experiment, resume=True)
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
def test_killed_between_the_row_of_an_epoch_and_its_checkpoint(
    dataset: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last checkpoint is one of the validation: the epoch's steps are done, it is not."""
    original = training.run.loop.save_checkpoint

    class Killed(BaseException):
        pass

    def kill_at_the_second(path: Path, checkpoint: Checkpoint) -> None:
        if checkpoint.progress["epoch"] == 2:
            raise Killed
        original(path, checkpoint)

    monkeypatch.setattr(training.run.loop, "save_checkpoint", kill_at_the_second)
    experiment = experiment_in(dataset, tmp_path / "run", minutes=1e-9)
    with pytest.raises(Killed):
        fit(experiment)
    monkeypatch.undo()
    last = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert (last.progress["epoch"], last.progress["position"]) == (1, STEPS)
    assert [row["epoch"] for row in read_rows(tmp_path / "run" / "epochs.csv")] == [1, 2]
    fit(experiment_in(dataset, tmp_path / "run"), resume=True)
    assert_same(tmp_path / "run", whole)


def test_killed_before_the_best_got_its_name(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = training.run.loop.link_checkpoint

    def never(source: Path, destination: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.run.loop, "link_checkpoint", never)
    experiment = experiment_in(dataset, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        fit(experiment)
    assert not (tmp_path / "run" / "checkpoints" / "best.ckpt").exists()
    best = []
    monkeypatch.setattr(
        training.run.loop,
        "link_checkpoint",
        lambda source, destination: (
            best.append((destination.name, load_checkpoint(source).progress["epoch"])),
            original(source, destination),
        ),
    )
    fit(experiment, resume=True)
    assert best[0] == ("best.ckpt", 1)


def test_a_longer_run_goes_on_after_the_end_of_a_shorter(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    experiment = experiment_in(dataset, tmp_path / "run")
    fit(replace(experiment, recipe=replace(experiment.recipe, epochs=2)))
    fit(experiment, resume=True)
    assert_same(tmp_path / "run", whole)


def test_a_row_cut_short_by_a_kill_is_written_again(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    for log in ("log.csv", "epochs.csv"):
        with (folder / log).open("a", encoding="utf-8") as file:
            file.write("4,97,0.1234")
    fit(experiment_in(dataset, folder), resume=True)
    assert_same(folder, whole)


def test_another_configuration_is_refused_by_its_keys(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    experiment = experiment_in(dataset, tmp_path / "run")
    other = replace(
        experiment,
        recipe=replace(experiment.recipe, weight_decay=0.5),
        run=replace(experiment.run, seed=3, checkpoint_minutes=2.0),
    )
    with pytest.raises(ConfigError) as caught:
        fit(other, resume=True)
    assert "recipe.weight_decay (was 0.0001, is 0.5)" in str(caught.value)
    assert "run.seed (was 0, is 3)" in str(caught.value)
    assert "checkpoint_minutes" not in str(caught.value)
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"run\.seed"):
        fit(other, resume=True)


def test_another_data_set_is_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    other = make_dataset(tmp_path / "other", tracks=128)
    with pytest.raises(ConfigError, match="mean"):
        fit(experiment_in(other, tmp_path / "run"), resume=True)


def test_checkpoints_of_earlier_runs_are_read(tmp_path: Path) -> None:
    """Names as version 0.1 wrote them."""
    progress = {
        "epoch": 3, "position": 7, "step": 103, "loss_of_epoch": 1.5, "loss_of_row": 0.5,
        "steps_of_row": 2, "best": 0.25, "best_epoch": 2,
    }  # fmt: skip
    content = {
        "format": "essentia-maest training 1",
        "state_dict": {"net.a": torch.ones(2), "net_swa.a": torch.zeros(2)},
        "config": {}, "classes": ["x"], "mean": 1.0, "std": 2.0, "dataset": "set",
        "averaged_models": 1, "optimizer": {}, "progress": progress, "random_state": {"seed": 0},
        "precision": {}, "versions": {"torch": "2"},
    }  # fmt: skip
    torch.save(content, tmp_path / "last.ckpt")
    found = load_checkpoint(tmp_path / "last.ckpt")
    position = Position.of(found.progress)
    assert (position.epoch, position.position, position.step) == (3, 7, 103)
    assert position.plain() == {**progress, "kept": 0.25, "kept_epoch": 2}
    assert found.averaged is not None
    assert torch.equal(found.averaged["a"], torch.zeros(2))


def test_damaged_and_foreign_checkpoints_are_named(
    dataset: Path, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    whole_bytes = last.read_bytes()
    experiment = experiment_in(dataset, tmp_path / "run")
    # copytree keeps no links: the others are not touched by this.
    last.write_bytes(whole_bytes[: len(whole_bytes) // 2])
    with pytest.raises(CheckpointError, match=r"last\.ckpt: damaged"):
        fit(experiment, resume=True)
    torch.save({"state_dict": {}}, last)
    with pytest.raises(CheckpointError, match="format None, wanted"):
        fit(experiment, resume=True)
    # Weights of another size under the right configuration.
    last.write_bytes(whole_bytes)
    wrong = load_checkpoint(last)
    wrong.network["head.1.bias"] = torch.zeros(7)
    save_checkpoint(last, wrong)
    with pytest.raises(CheckpointError, match=r"head\.1\.bias"):
        fit(experiment, resume=True)


def test_folders_that_are_no_runs(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="has something in it"):
        fit(experiment_in(dataset, tmp_path / "other"))
    with pytest.raises(ConfigError, match="no run to resume"):
        fit(experiment_in(dataset, tmp_path / "other"), resume=True)
    with pytest.raises(ConfigError, match="is a file"):
        fit(experiment_in(dataset, tmp_path / "other" / "thesis.tex"))


def test_two_runs_cannot_share_a_folder(dataset: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.lockf(file, fcntl.LOCK_EX); "
        "print(flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "run" / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ConfigError, match="another process is training"):
            fit(experiment_in(dataset, tmp_path / "run"), resume=True)
    finally:
        other.communicate()
    fit(experiment_in(dataset, tmp_path / "run"), resume=True)
    assert_same(tmp_path / "run", whole)


@pytest.mark.slow
def test_dropout_resumes_too(tmp_path: Path) -> None:
    """A baseline: its dropout draws from torch's global generator, its statistics are state."""
    dataset = make_dataset(tmp_path / "dataset", tracks=32)
    averaging = AveragingConfig(1, 1, statistics_tracks=16)
    experiment = make_experiment(
        dataset, tmp_path / "whole", epochs=2, batch=16, micro_batch=16, averaging=averaging
    )
    network = ModelConfig(architecture="efficientnet-b0", seconds=0.6)
    experiment = replace(experiment, model=network)
    fit(experiment)
    resumed = replace(experiment, run=replace(experiment.run, folder=tmp_path / "run"))
    fit(replace(resumed, recipe=replace(resumed.recipe, epochs=1)))
    torch.manual_seed(99)
    fit(resumed, resume=True)
    assert_same(tmp_path / "run", tmp_path / "whole")
    final = load_checkpoint(tmp_path / "run" / "final.ckpt")
    assert final.averaged is not None
    means = [name for name in final.averaged if name.endswith("running_mean")]
    # Measured anew for the mean weights, not taken over from the last ones.
    assert any(not torch.equal(final.averaged[name], final.network[name]) for name in means)
