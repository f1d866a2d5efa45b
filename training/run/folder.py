"""The folder of a run: what is in it, and whether a run may begin or go on there."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from essentia_maest.files import write_json
from training.config import Experiment
from training.errors import CheckpointError, ConfigError

from .checkpoint import load_checkpoint
from .config_file import differences, experiment_from, plain, write_experiment

# What a resumed run may change: none of it changes what is computed, but for rounding.
_FREE = frozenset(
    {
        "data.dataset",
        "data.workers",
        "recipe.epochs",
        "recipe.teacher.activations",
        "run.accelerator",
        "run.checkpoint_minutes",
        "run.compile",
        "run.devices",
        "run.nodes",
        "run.tracker",
        "model.recompute",
        "run.evaluation_batch",
        "run.folder",
    }
)


class RunFolder:
    """Names of the files of a run.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path, config, report, last, best, final : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.report = path / "report.json"
        self.last = path / "checkpoints" / "last.ckpt"
        self.best = path / "checkpoints" / "best.ckpt"
        self.final = path / "final.ckpt"

    @contextmanager
    def opened(self, experiment: Experiment, *, resume: bool) -> Iterator[None]:
        """Make the folder, or check that its run is this experiment's, and keep others out of it.

        Raises
        ------
        ConfigError
            Something is there already and is not to be resumed, is a run of another configuration
            (the keys are named), or is being trained by another process.
        CheckpointError
            Its checkpoint is damaged.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ConfigError(f"run.folder: {self.path} is a file")
        if self.path.exists() and any(self.path.iterdir()):
            if not resume:
                raise ConfigError(
                    f"run.folder: {self.path} has something in it; --resume goes on with its run, "
                    "or choose another"
                )
            if not self.last.exists() and not self.config.exists():
                raise ConfigError(f"run.folder: {self.path} has no run to resume, but other files")
        self.last.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if self.last.exists() or self.config.exists():
                self._check_same(experiment)
            write_experiment(experiment, self.config)
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.path / ".lock").open("w") as file:
            try:
                # Not flock: reading processes would inherit that, and outlive a killed trainer.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise ConfigError(
                    f"run.folder: another process is training in {self.path}"
                ) from None
            except OSError:
                # A file system without locks: there nothing keeps others out.
                pass
            yield

    def _check_same(self, experiment: Experiment) -> None:
        if self.last.exists():
            before, source = load_checkpoint(self.last).config, self.last
        else:
            # Killed before the first checkpoint.
            before, source = _read_yaml(self.config), self.config
        # What earlier versions did not know has its default.
        before = plain(experiment_from(before, str(source)))
        changed = {
            key: values
            for key, values in differences(before, plain(experiment)).items()
            if key not in _FREE
        }
        if changed:
            told = ", ".join(f"{key} (was {old}, is {new})" for key, (old, new) in changed.items())
            raise ConfigError(f"cannot resume {source} with another configuration: {told}")

    def note(self, **found: Any) -> None:
        """Put findings into `report.json`, beside those that are there."""
        report = {**self.read_report(), **found}
        write_json(self.report, report, indent=2)

    def read_report(self) -> dict[str, Any]:
        """Read `report.json`; empty if there is none."""
        try:
            found = json.loads(self.report.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError(f"{self.report}: not a report: {error}") from None
        return dict(found)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: not a configuration")
    return values
