"""Where logs go besides the run's folder: Weights & Biases or MLflow, where they are installed."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from training.errors import ConfigError

_log = logging.getLogger("training")
Kind = Literal["wandb", "mlflow"]
_PROJECT = "essentia-maest"
_LONGEST_VALUE = 500
"""Characters of a parameter that MLflow takes."""
_PARAMETERS = 100
"""Parameters of a request that MLflow takes."""


class Tracker(Protocol):
    """A service that numbers are told."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Tell the numbers of a step of the optimizer."""

    def close(self, *, done: bool) -> None:
        """Wait until all is told, and say whether the run came to its end."""


def open_tracker(kind: Kind, folder: Path, config: Mapping[str, Any]) -> Tracker:
    """Open a run at a service, or go on with the one of this folder.

    A service that fails later is warned of, once, and ends no run: its folder has it all.
    Where the service is, and who asks, its own settings say (``WANDB_MODE``, ``WANDB_API_KEY``,
    ``MLFLOW_TRACKING_URI``, ...).

    Parameters
    ----------
    kind : {"wandb", "mlflow"}
    folder : Path
        The run's.
    config : mapping
        The experiment, as nested values.

    Raises
    ------
    ConfigError
        The package is not installed, or the service cannot be had.
    """
    try:
        opened = _WandB(folder, config) if kind == "wandb" else _MLflow(folder, config)
        return _Forgiving(kind, opened)
    except ImportError as error:
        raise ConfigError(
            f"run.tracker is {kind}, and the package is not installed ({error}): pip install {kind}"
        ) from error
    except Exception as error:
        raise ConfigError(
            f"run.tracker is {kind}, which does not take the run: {' '.join(str(error).split())}"
        ) from error


class _Forgiving:
    """Lets no failure of a service end a run."""

    def __init__(self, kind: Kind, tracker: Tracker) -> None:
        self._kind, self._tracker, self._failed = kind, tracker, False

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._try(lambda: self._tracker.scalars(values, step))

    def close(self, *, done: bool) -> None:
        self._try(lambda: self._tracker.close(done=done))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        # What a service's package raises is its own affair, and no reason to lose a training.
        except Exception as error:
            if not self._failed:
                _log.warning("%s is not told everything from now on: %s", self._kind, error)
            self._failed = True


class _WandB:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        wandb: Any = import_module("wandb")
        self._run: Any = wandb.init(
            project=_PROJECT,
            name=folder.name,
            id=_identity(folder),
            resume="allow",
            dir=str(folder),
            config=dict(config),
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, done: bool) -> None:
        self._run.finish(exit_code=0 if done else 1)


class _MLflow:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        mlflow: Any = import_module("mlflow")
        self._entities: Any = import_module("mlflow.entities")
        client: Any = mlflow.MlflowClient()
        found = client.get_experiment_by_name(_PROJECT)
        experiment = found.experiment_id if found else client.create_experiment(_PROJECT)
        identity = _identity(folder)
        runs = client.search_runs([experiment], f"tags.folder = '{identity}'", max_results=1)
        self._client, self._waiting = client, list[Any]()
        if runs:
            self._run = runs[0].info.run_id
            client.update_run(self._run, status="RUNNING")
            return
        self._run = client.create_run(
            experiment, run_name=folder.name, tags={"folder": identity}
        ).info.run_id
        parameters = [
            self._entities.Param(name, str(value)[:_LONGEST_VALUE])
            for name, value in _flat(config).items()
        ]
        for first in range(0, len(parameters), _PARAMETERS):
            client.log_batch(self._run, params=parameters[first : first + _PARAMETERS])

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        now = int(1000 * time.time())
        metrics = [self._entities.Metric(name, value, now, step) for name, value in values.items()]
        # A step does not wait for the service.
        self._waiting.append(self._client.log_batch(self._run, metrics, synchronous=False))

    def close(self, *, done: bool) -> None:
        try:
            for told in self._waiting:
                told.wait()
        finally:
            self._waiting.clear()
            self._client.set_terminated(self._run, "FINISHED" if done else "FAILED")


def _identity(folder: Path) -> str:
    """Give a name for a folder's run that stays the same, for a run that is resumed."""
    return hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
