"""What an exported model says about the run it comes from."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from essentia_maest.files import sha256_of
from essentia_maest.making.metadata import ModelDescription, check_labels
from essentia_maest.reading.families import families_of
from training.run.folder import RunFolder
from training.run.inference import Trained
from training.run.logs import EPOCHS

_METRICS = {"mean_average_precision": "mAP", "roc_auc": "ROC-AUC"}


def describe(
    trained: Trained,
    path: Path,
    *,
    averaged: bool,
    name: str | None,
    license_name: str,
    families: bool = False,
) -> ModelDescription:
    """Describe a run's model.

    Parameters
    ----------
    trained : Trained
    path : Path
        The checkpoint, in the run's folder or its `checkpoints`.
    averaged : bool
        Whether the weights are the mean ones.
    name : str, optional
        Title; by default made of the architecture and the run's folder.
    license_name : str
    families : bool
        Whether the classes answer several questions, named before ``---``.

    Raises
    ------
    essentia_maest.errors.ModelError
        If the classes or the normalisation cannot be written into a model file, or a class has no
        family where it should.
    """
    checkpoint, model = trained.checkpoint, trained.experiment.model
    folder = run_folder(path)
    epochs = int(checkpoint.progress["epoch"])
    kind = f"mean of {checkpoint.averaged_models} sets of" if averaged else "last"
    title = name or f"{model.architecture}-{model.seconds:g}s-{folder.name}"
    return ModelDescription(
        name=title,
        description=(
            f"{model.architecture} for segments of {model.seconds:g} s, "
            + (f"trained with essentia-maest for {epochs} epochs; " if epochs else "a head alone; ")
            + f"{kind} weights"
        ),
        labels=check_labels(checkpoint.classes, len(checkpoint.classes), str(path)),
        trained=True,
        license=license_name,
        source=f"training run {folder.name}, {path.name}, {kind} weights",
        source_sha256=sha256_of(path),
        upstream={
            "dataset": {
                "name": Path(checkpoint.dataset).name,
                "citation": "",
                "size": "",
                "metrics": _metrics(folder / EPOCHS, epochs, averaged=averaged),
            }
        },
        mean=checkpoint.mean,
        standard_deviation=checkpoint.std,
        families=families_of(checkpoint.classes, str(path)) if families else (),
    )


def run_folder(checkpoint: Path) -> Path:
    """Give the folder of the run that a checkpoint belongs to."""
    folder = checkpoint.resolve().parent
    return folder.parent if folder.name == RunFolder(folder).last.parent.name else folder


def _metrics(log: Path, epoch: int, *, averaged: bool) -> dict[str, Any]:
    """Read the validation scores of an epoch out of a run's log, where it has them."""
    if not log.is_file():
        return {}
    with log.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("epoch") == str(epoch)]
    prefix = "averaged_" if averaged else ""
    return {
        f"validation {shown}": float(rows[-1][prefix + column])
        for column, shown in _METRICS.items()
        if rows and rows[-1].get(prefix + column)
    }
