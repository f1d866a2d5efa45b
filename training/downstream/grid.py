"""The grid of section 4.4: every setting tried once, each trial kept, gone on with after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from essentia_maest.files import write_json, written_whole
from essentia_maest.progress import tracked
from training.data.locking import sole_writer
from training.downstream.mlp import MlpSetting, learn
from training.downstream.probing import Task
from training.errors import DataError
from training.orphans import end_with_parent

PAPER: Mapping[str, Sequence[float]] = MappingProxyType(
    {
        "batch_size": (64, 128, 256),
        "epochs": (30, 40, 50, 60, 70, 80),
        "dropout": (0.5, 0.75),
        "peak": (1e-3, 1e-4, 5e-4, 1e-5),
    }
)
"""Section 4.4: 144 settings."""

_TASK = "task.npz"


@dataclass(frozen=True)
class Trial:
    """A setting that was tried.

    Attributes
    ----------
    setting : MlpSetting
    best_epoch : int
    validation_roc_auc, validation_map : float
    """

    setting: MlpSetting
    best_epoch: int
    validation_roc_auc: float
    validation_map: float


def search(
    task: Task,
    folder: Path,
    *,
    values: Mapping[str, Sequence[Any]] = PAPER,
    seed: int = 0,
    workers: int = 1,
) -> list[Trial]:
    """Try every setting; those whose trials are in the folder are taken from there.

    A trial is computed with one thread, so that its result hangs neither on how many run at once
    nor on when a run was killed. The test split is not looked at.

    Parameters
    ----------
    task : Task
    folder : Path
        For the trials, a file each; trials of another task or seed have other names.
    values : mapping of str to sequence
        Field of `MlpSetting` -> values to try.
    seed : int
    workers : int
        Processes; with 1, the work is done in this one.

    Returns
    -------
    list of Trial
        The best first: by validation ROC-AUC, then in the order of the grid.

    Raises
    ------
    DataError
        A trial's file is damaged, a process died, or another one is searching in this folder.
    """
    from sklearn.model_selection import ParameterGrid  # type: ignore[import-untyped]

    settings = [MlpSetting(**chosen) for chosen in ParameterGrid(dict(values))]
    places = {setting: folder / f"{_key(task, setting, seed)}.json" for setting in settings}
    with sole_writer(folder):
        waiting = {setting: place for setting, place in places.items() if not place.exists()}
        if waiting and workers == 1:
            for setting in tracked(waiting, "trials"):
                _try(task, setting, seed, places[setting])
        elif waiting:
            _in_processes(task, waiting, folder / _TASK, seed, workers)
        found = [_read(places[setting], setting) for setting in settings]
    return sorted(found, key=lambda trial: -trial.validation_roc_auc)


def _key(task: Task, setting: MlpSetting, seed: int) -> str:
    digest = hashlib.sha256(json.dumps([asdict(setting), seed, list(task.classes)]).encode())
    for array in (task.features, task.targets):
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    digest.update("\n".join(task.splits.tolist()).encode())
    return digest.hexdigest()[:16]


def _try(task: Task, setting: MlpSetting, seed: int, place: Path) -> None:
    nothing = task.features[:0]
    learnt = learn(task.of("train"), task.of("validation"), nothing, setting, seed=seed)
    found = {
        "setting": asdict(setting),
        "seed": seed,
        "best_epoch": learnt.best_epoch,
        "validation_roc_auc": learnt.validation_roc_auc,
        "validation_map": learnt.validation_map,
    }
    write_json(place, found)


def _read(place: Path, setting: MlpSetting) -> Trial:
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        return Trial(
            setting,
            *(found[name] for name in ("best_epoch", "validation_roc_auc", "validation_map")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{place}: no readable trial ({error!r}); delete it to go on") from None


def _in_processes(
    task: Task, waiting: Mapping[MlpSetting, Path], kept: Path, seed: int, workers: int
) -> None:
    with written_whole(kept) as place, place.open("wb") as file:
        np.savez(file, features=task.features, targets=task.targets, splits=task.splits)
    count = min(workers, len(waiting))
    with ProcessPoolExecutor(count, get_context("spawn"), end_with_parent) as pool:
        try:
            jobs = [
                pool.submit(_try_one, kept, setting, seed, place)
                for setting, place in waiting.items()
            ]
            for done in tracked(as_completed(jobs), "trials", total=len(jobs)):
                done.result()
        except BrokenProcessPool as error:
            raise DataError(
                "a process died (short of memory?); repeat the command to go on"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)
    kept.unlink(missing_ok=True)


@cache
def _task(kept: Path) -> Task:
    """Read the task, once in a process."""
    with np.load(kept, allow_pickle=False) as found:
        splits = found["splits"]
        return Task(found["features"], found["targets"], (), splits, splits)


def _try_one(kept: Path, setting: MlpSetting, seed: int, place: Path) -> None:
    _try(_task(kept), setting, seed, place)
