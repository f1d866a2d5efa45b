"""Where logs go besides the run's folder: Weights & Biases or MLflow, where they are installed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from training.errors import ConfigError

Kind = Literal["wandb", "mlflow"]
_PROJECT = "essentia-maest"
_LONGEST_VALUE = 500
"""Characters of a parameter that MLflow takes."""


class Tracker(Protocol):
    """A service that numbers are told."""

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Tell the numbers of a step of the optimizer."""

    def close(self) -> None:
        """Wait until all is told."""


def open_tracker(kind: Kind, folder: Path, config: Mapping[str, Any]) -> Tracker:
    """Open a run at a service, or go on with the one of this folder.

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
        The package is not installed.
    """
    try:
        return _WandB(folder, config) if kind == "wandb" else _MLflow(folder, config)
    except ImportError as error:
        raise ConfigError(
            f"run.tracker is {kind}, and the package is not installed ({error}): pip install {kind}"
        ) from error


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

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        mlflow: Any = import_module("mlflow")
        client: Any = mlflow.MlflowClient()
        found = client.get_experiment_by_name(_PROJECT)
        experiment = found.experiment_id if found else client.create_experiment(_PROJECT)
        identity = _identity(folder)
        runs = client.search_runs([experiment], f"tags.folder = '{identity}'", max_results=1)
        if runs:
            run = runs[0]
        else:
            run = client.create_run(experiment, run_name=folder.name, tags={"folder": identity})
            for name, value in _flat(config).items():
                client.log_param(run.info.run_id, name, str(value)[:_LONGEST_VALUE])
        self._client, self._run = client, run.info.run_id

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._run)


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
