"""Scores of a trained network on a split, as the paper's tables have them."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from essentia_maest.files import write_json
from training.errors import DataError
from training.recipe.metrics import Scores, score

from .inference import DEFAULT_COMPUTING, Computing, Predictor, load_trained, open_dataset
from .predicting import Windows

_log = logging.getLogger("training")
_SMALLEST = 1e-12


def evaluate(
    checkpoint: Path,
    output: Path | None = None,
    *,
    dataset: Path | None = None,
    split: Literal["train", "validation", "test"] = "test",
    averaged: bool = True,
    windows: Windows = "all",
    computing: Computing = DEFAULT_COMPUTING,
) -> Scores:
    """Score a checkpoint's network on a split of a data set.

    Parameters
    ----------
    checkpoint : path
        Of a run, for instance RUN/final.ckpt.
    output : path, optional
        JSON file for the scores, those of each class among them.
    dataset : path, optional
        By default the data set that was trained on.
    split : {"train", "validation", "test"}
    averaged : bool
        The mean weights rather than the last.
    windows : {"centre", "all"}
        The central segment of each track, or the mean activations of all its segments.
    computing : Computing
        Batch, workers, accelerator and precision.

    Returns
    -------
    Scores
    """
    trained = load_trained(checkpoint, averaged=averaged)
    store = open_dataset(trained, dataset)
    indices = store.indices(split)
    if len(indices) == 0:
        raise DataError(f"{store.folder}: the split {split} has no tracks")
    predictor = Predictor(trained, store, computing)
    activations = predictor.activations(indices, windows)
    targets = torch.from_numpy(np.stack([store.targets(int(index)) for index in indices]))
    scores = score(torch.logit(activations, _SMALLEST), targets, store.classes)
    _log.info(
        "%s, %d tracks: mAP %.4f, ROC-AUC %.4f over %d classes, loss %.5f",
        split,
        len(indices),
        scores.mean_average_precision,
        scores.roc_auc,
        len(scores.average_precision),
        scores.loss,
    )
    if scores.skipped:
        told = ", ".join(f"{name} ({why})" for name, why in scores.skipped.items())
        _log.warning("%d classes cannot be scored: %s", len(scores.skipped), told)
    if output is not None:
        about = {
            "checkpoint": str(checkpoint),
            "dataset": str(store.folder),
            "split": split,
            "tracks": len(indices),
            "averaged": averaged,
            "windows": windows,
        }
        found = {
            # JSON has no NaN.
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(scores).items()
        }
        write_json(output, {**about, **found}, indent=2)
    return scores
