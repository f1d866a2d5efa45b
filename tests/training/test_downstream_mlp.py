"""The paper's probe: its learning rate step by step, its grid, the same again from a seed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from training.downstream.grid import PAPER, search
from training.downstream.linear import probe
from training.downstream.mlp import MlpSetting, learn
from training.downstream.probing import Task, gain, judge
from training.errors import ConfigError, DataError
from training.recipe.schedule import learning_rate

CLASSES = ("Tag---a", "Tag---b", "Tag---c")


def make_task(seed: int = 0, tracks: int = 240, values: int = 12) -> Task:
    random = np.random.default_rng(seed)
    features = random.standard_normal((tracks, values)).astype(np.float32)
    weights = random.standard_normal((values, len(CLASSES)))
    noise = random.standard_normal((tracks, len(CLASSES)))
    targets = (features @ weights + 2 * noise > 0.5).astype(np.float32)
    splits = np.array(["train"] * 140 + ["validation"] * 40 + ["test"] * 60)
    groups = np.array([f"artist {number // 3}" for number in range(tracks)])
    return Task(features, targets, CLASSES, splits, groups)


@pytest.mark.parametrize("epochs", [30, 80])
def test_learning_rate_is_the_papers_step_by_step(epochs: int) -> None:
    steps, peak = 7, 5e-4
    schedule = MlpSetting(epochs=epochs, peak=peak).schedule(steps)
    rates = [learning_rate(step / steps, schedule) for step in range(epochs * steps)]
    rise = rates[: 10 * steps]
    # exponentially raised to its maximum during the first 10 epochs
    for step, rate in enumerate(rise):
        assert rate == pytest.approx(peak * math.exp(-5 * (1 - step / steps / 10) ** 2))
    constant = round((epochs - 10) / 2 * steps)
    assert rates[10 * steps : 10 * steps + constant + 1] == [peak] * (constant + 1)
    # then linearly reduced, to 1e-7 at the end of training
    fall = np.diff(rates[10 * steps + constant :])
    assert np.allclose(fall, fall[0])
    assert fall[0] < 0
    assert rates[-1] == pytest.approx(1e-7)


def test_a_constant_of_none_is_the_shape_of_the_papers_code() -> None:
    schedule = MlpSetting(epochs=60, peak=1.0, constant=0).schedule(100)
    assert learning_rate(10, schedule) == 1.0
    assert learning_rate(35, schedule) == pytest.approx(0.5, abs=1e-3)


def test_the_best_epoch_by_validation_roc_auc_counts() -> None:
    task = make_task()
    # a high rate overfits: the last epoch is not the best
    setting = MlpSetting(batch_size=16, epochs=20, peak=3e-2, dropout=0.0)
    found = learn(task.of("train"), task.of("validation"), task.of("validation")[0], setting)
    truth = task.of("validation")[1]
    assert found.validation_roc_auc == pytest.approx(
        roc_auc_score(truth, found.activations, average="macro"), abs=1e-6
    )
    assert found.validation_map == pytest.approx(
        average_precision_score(truth, found.activations, average="macro"), abs=1e-6
    )
    assert found.best_epoch < 20
    last = learn(
        task.of("train"),
        task.of("validation"),
        task.of("validation")[0],
        MlpSetting(batch_size=16, epochs=found.best_epoch, peak=3e-2, dropout=0.0),
    )
    assert last.best_epoch <= found.best_epoch


def test_scores_are_those_of_scikit_learn_and_come_again_from_the_seed() -> None:
    task = make_task()
    setting = MlpSetting(epochs=12, peak=1e-2)
    judged = judge(task, "mlp", setting, draws=50, seed=3)
    again = judge(task, "mlp", setting, draws=50, seed=3)
    other = judge(task, "mlp", setting, draws=50, seed=4)
    assert judged.scores == again.scores
    assert judged.scores != other.scores
    assert judged.learnt is not None
    truth = task.of("test")[1]
    assert judged.overall.roc_auc.value == pytest.approx(
        roc_auc_score(truth, judged.learnt.activations, average="macro")
    )
    assert judged.overall.mean_average_precision.value == pytest.approx(
        average_precision_score(truth, judged.learnt.activations, average="macro")
    )
    assert judged.overall.roc_auc.value > 0.7
    low, high = judged.overall.roc_auc[1:]
    assert low < judged.overall.roc_auc.value < high
    assert judged.overall.groups == 20
    linear = judge(task, "linear", setting, draws=50)
    expected = probe(task.features, task.targets, CLASSES, task.splits)
    assert linear.overall.roc_auc.value == pytest.approx(
        roc_auc_score(truth, expected, average="macro")
    )
    more = gain(task, judged, linear, draws=50, seed=3)
    ours, theirs = (one.overall.mean_average_precision.value for one in (judged, linear))
    assert more.value == pytest.approx(ours - theirs)
    assert more.low < more.value < more.high
    assert gain(task, linear, linear, draws=50, seed=3) == (0, 0, 0)
    with pytest.raises(DataError, match="wanted: mlp, linear"):
        judge(task, "forest", setting)


def test_unknown_targets_count_for_nothing() -> None:
    task = make_task()
    targets = task.targets.copy()
    targets[::2, 0] = np.nan
    partly = Task(task.features, targets, CLASSES, task.splits, task.groups)
    judged = judge(partly, "mlp", MlpSetting(epochs=3), draws=10)
    assert judged.learnt is not None
    assert np.isfinite(judged.learnt.activations).all()
    truth = partly.of("test")[1]
    known = ~np.isnan(truth[:, 0])
    areas = [roc_auc_score(truth[known, 0], judged.learnt.activations[known, 0])]
    areas += [roc_auc_score(truth[:, c], judged.learnt.activations[:, c]) for c in (1, 2)]
    assert judged.overall.roc_auc.value == pytest.approx(np.mean(areas))


def test_the_grid_is_the_papers() -> None:
    assert np.prod([len(values) for values in PAPER.values()]) == 144


GRID = {"batch_size": (32, 64), "epochs": (3, 4), "dropout": (0.5,), "peak": (1e-2, 1e-4)}


class KilledError(Exception):
    """Stands for a kill between two trials."""


def test_the_grid_goes_on_after_a_kill_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task()
    whole = search(task, tmp_path / "whole", values=GRID)
    assert len(whole) == 8
    areas = [trial.validation_roc_auc for trial in whole]
    assert areas == sorted(areas, reverse=True)

    from training.downstream import grid

    tried = []
    once = grid._try

    def killed(*arguments: object) -> None:
        if len(tried) == 3:
            raise KilledError
        tried.append(arguments)
        once(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(grid, "_try", killed)
    with pytest.raises(KilledError):
        search(task, tmp_path / "again", values=GRID)
    assert len(list((tmp_path / "again").glob("*.json"))) == 3
    monkeypatch.setattr(
        grid, "_try", lambda *arguments: (tried.append(arguments), once(*arguments))
    )
    assert search(task, tmp_path / "again", values=GRID) == whole
    assert len(tried) == 8  # what was there was not tried again
    # other data, or another seed, is another trial
    search(task, tmp_path / "again", values=GRID, seed=1)
    assert len(tried) == 16


@pytest.mark.slow
def test_the_grid_in_processes_gives_the_same(tmp_path: Path) -> None:
    task = make_task()
    assert search(task, tmp_path / "one", values=GRID) == search(
        task, tmp_path / "two", values=GRID, workers=2
    )


def test_a_damaged_trial_is_named(tmp_path: Path) -> None:
    task = make_task()
    values = {"epochs": (1,)}
    search(task, tmp_path, values=values)
    place = next(tmp_path.glob("*.json"))
    place.write_text("{")
    with pytest.raises(DataError, match="delete it to go on"):
        search(task, tmp_path, values=values)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="dropout from 0 to below 1"):
        MlpSetting(dropout=1.0)


def test_a_validation_split_that_cannot_choose_is_named() -> None:
    task = make_task(tracks=240)
    features, targets = task.of("validation")
    with pytest.raises(DataError, match="no epoch can be chosen"):
        learn(task.of("train"), (features, np.zeros_like(targets)), features, MlpSetting(epochs=1))
