"""Weights & Biases and MLflow, played by stand-ins: what they are told, what failures cost.

How the real packages were tried: training/README.md.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from run_fixtures import make_dataset, make_experiment
from training.config import Experiment
from training.errors import ConfigError
from training.run.fit import fit
from training.run.logs import read_rows
from training.run.trackers import open_tracker


class Service(ModuleType):
    """Stands for the package of a service, and notes what it is told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.told: list[tuple[str, float, int]] = []
        self.config: dict[str, Any] = {}
        self.identities: list[str] = []
        self.ends: list[Any] = []
        self.runs: list[Any] = []
        self.fails = False

    def note(self, told: list[tuple[str, float, int]]) -> None:
        if self.fails:
            raise ConnectionError("the service is away")
        self.told += told

    def init(self, *, id: str, resume: str, config: dict[str, Any], **_: object) -> Service:
        self.identities.append(id)
        self.config = config
        return self

    def log(self, values: dict[str, float], *, step: int) -> None:
        self.note([(name, value, step) for name, value in values.items()])

    def finish(self, *, exit_code: int) -> None:
        self.ends.append(exit_code == 0)

    def MlflowClient(self) -> Service:  # noqa: N802
        return self

    def get_experiment_by_name(self, name: str) -> None:
        return None

    def create_experiment(self, name: str) -> str:
        return "7"

    def search_runs(self, experiments: list[str], query: str, max_results: int) -> list[Any]:
        assert experiments == ["7"]
        return [run for run in self.runs if f"'{run.folder}'" in query]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        self.identities.append(tags["folder"])
        run = SimpleNamespace(info=SimpleNamespace(run_id="r1"), folder=tags["folder"])
        self.runs.append(run)
        return run

    def update_run(self, run: str, status: str) -> None:
        assert (run, status) == ("r1", "RUNNING")

    def log_batch(
        self,
        run: str,
        metrics: list[tuple[str, float, int, int]] = [],  # noqa: B006
        params: list[tuple[str, str]] = [],  # noqa: B006
        *,
        synchronous: bool = True,
    ) -> Any:
        assert run == "r1"
        assert len(params) <= 100
        self.config |= dict(params)
        # What is not synchronous fails when it is waited for.
        later = [(name, value, step) for name, value, _, step in metrics]
        return SimpleNamespace(wait=lambda: self.note(later))

    def set_terminated(self, run: str, status: str) -> None:
        self.ends.append(status == "FINISHED")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("trackers") / "dataset")


@pytest.fixture(params=["wandb", "mlflow"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Service:
    found = Service(request.param)
    monkeypatch.setitem(sys.modules, request.param, found)
    entities: Any = ModuleType("mlflow.entities")
    entities.Param, entities.Metric = (lambda *values: values), (lambda *values: values)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return found


def tracked_experiment(dataset: Path, service: Service, folder: Path) -> Experiment:
    experiment = make_experiment(dataset, folder, epochs=2)
    kind: Any = service.__name__
    return replace(experiment, run=replace(experiment.run, tracker=kind))


@pytest.mark.slow
def test_a_service_is_told_what_the_logs_have(
    service: Service, dataset: Path, tmp_path: Path
) -> None:
    experiment = tracked_experiment(dataset, service, tmp_path / "run")
    fit(experiment)
    told = {(name, step): value for name, value, step in service.told}
    for row in read_rows(tmp_path / "run" / "epochs.csv"):
        for name in ("train_loss", "mean_average_precision"):
            assert told[f"epoch/{name}", row["step"]] == pytest.approx(row[name])
    for row in read_rows(tmp_path / "run" / "log.csv"):
        assert told["train/loss", row["step"]] == pytest.approx(row["loss"])
    assert service.ends == [True]
    assert "recipe" in service.config or service.config["recipe.epochs"] == "2"
    fit(replace(experiment, recipe=replace(experiment.recipe, epochs=3)), resume=True)
    assert len(set(service.identities)) == 1
    assert ("epoch/train_loss", 9) in {(name, step) for name, _, step in service.told}


def test_a_service_that_fails_costs_no_training(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind: Any = service.__name__
    tracker = open_tracker(kind, tmp_path, {"recipe": {"epochs": 2}})
    tracker.scalars({"loss": 1.0}, 1)
    service.fails = True
    with caplog.at_level(logging.WARNING, logger="training"):
        for step in (2, 3):
            tracker.scalars({"loss": 0.5}, step)
        tracker.close(done=False)
    (warning,) = caplog.messages
    assert f"{kind} is not told everything" in warning
    assert "the service is away" in warning
    assert service.ends == [False]


def test_a_service_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for kind in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, kind, None)
        with pytest.raises(ConfigError, match=f"run.tracker is {kind}.*pip install {kind}"):
            open_tracker(kind, tmp_path, {})


def test_a_service_that_does_not_take_the_run(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no API key\nconfigured")

    for name in ("init", "create_run"):
        monkeypatch.setattr(service, name, refuse)
    kind: Any = service.__name__
    with pytest.raises(ConfigError, match=f"{kind}, which does not take the run: no API key conf"):
        open_tracker(kind, tmp_path, {})
