"""Both sets of weights on the validation split, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import nn

from training.recipe.metrics import Scores, score

from .predicting import Reading, predict_centres

if TYPE_CHECKING:
    from training.config import Experiment

    from .assembly import Parts

_log = logging.getLogger("training")
LAST, AVERAGED = "last", "averaged"


def score_weights(
    experiment: Experiment, parts: Parts, between: Callable[[], None]
) -> dict[str, Scores]:
    """Score the last weights, and the averaged ones if there are any, on the validation split.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts
    between : callable
        Called before each batch; may raise to give up.

    Returns
    -------
    dict of str to Scores
        By `LAST` and `AVERAGED`; empty without a validation split, and in all processes but the
        first.
    """
    if len(parts.validation) == 0:
        return {}
    networks: dict[str, nn.Module] = {LAST: parts.network}
    if parts.average.network is not None:
        networks[AVERAGED] = parts.average.network
    run = experiment.run
    logits, targets = predict_centres(
        parts.fabric,
        list(networks.values()),
        parts.data.store,
        parts.validation,
        Reading(parts.frames, run.evaluation_batch, experiment.data.workers),
        between=between,
    )
    if not parts.fabric.is_global_zero:
        return {}
    classes = parts.data.store.classes
    return {
        name: score(found, targets, classes) for name, found in zip(networks, logits, strict=True)
    }


def scores_row(scores: dict[str, Scores]) -> dict[str, float | int | None]:
    """Put scores into columns of epochs.csv; None where there are none."""
    row: dict[str, float | int | None] = {}
    for weights, prefix in ((LAST, ""), (AVERAGED, "averaged_")):
        for name in ("loss", "mean_average_precision", "roc_auc"):
            found = scores.get(weights)
            row[prefix + name] = None if found is None else getattr(found, name)
    last = scores.get(LAST)
    row["classes_scored"] = None if last is None else len(last.average_precision)
    row["classes_skipped"] = None if last is None else len(last.skipped)
    return row


def announce(epoch: int, epochs: int, train_loss: float, scores: dict[str, Scores]) -> None:
    """Tell a person how an epoch went."""
    told = [f"epoch {epoch} of {epochs}: training loss {train_loss:.5f}"]
    told += [
        f"{name} weights: loss {found.loss:.5f}, mAP {found.mean_average_precision:.4f}, "
        f"ROC-AUC {found.roc_auc:.4f}"
        for name, found in scores.items()
    ]
    _log.info("; ".join(told))
