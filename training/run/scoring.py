"""Both sets of weights on the validation split, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from training.recipe.metrics import Scores, score

from .predicting import Reading, predict_tracks

if TYPE_CHECKING:
    from training.config import Experiment

    from .assembly import Parts

_log = logging.getLogger("training")
LAST, AVERAGED = "last", "averaged"


class Validation:
    """Scores the last weights, and the mean ones if there are any, on the validation split.

    The mean is scored anew only where it has changed: it gets a set of weights every few epochs,
    and its first set is the last weights themselves.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts

    Attributes
    ----------
    logits : dict of str to Tensor
        [tracks, classes] of the weights that were scored anew the last time, by name; in the first
        process.
    targets : Tensor
        [tracks, classes], NaN where unknown.
    """

    def __init__(self, experiment: Experiment, parts: Parts) -> None:
        self._experiment = experiment
        self._parts = parts
        self._scored: tuple[int, Scores | None] = (0, None)
        self.logits: dict[str, Tensor] = {}
        self.targets = torch.empty(0)

    def __call__(self, between: Callable[[], None]) -> dict[str, Scores]:
        """Score.

        Parameters
        ----------
        between : callable
            Called before each batch; may raise to give up.

        Returns
        -------
        dict of str to Scores
            By `LAST` and `AVERAGED`; empty without a validation split, and in all processes but
            the first.
        """
        parts, run = self._parts, self._experiment.run
        if len(parts.validation) == 0:
            return {}
        networks: dict[str, nn.Module] = {LAST: parts.network}
        average, models = parts.average.network, parts.average.models
        # All processes come to the same answer: they hold the same weights.
        known = average is not None and self._scored[0] == models
        same = average is not None and _same_weights(parts.network, average)
        if average is not None and not known and not same:
            networks[AVERAGED] = average
        logits, targets = predict_tracks(
            parts.fabric,
            list(networks.values()),
            parts.data.store,
            parts.validation,
            Reading(
                parts.frames,
                run.evaluation_batch,
                self._experiment.data.workers,
                run.validation_windows,
            ),
            between=between,
        )
        if average is not None and not known:
            self._scored = (models, None)
        if not parts.fabric.is_global_zero:
            return {}
        classes = parts.data.store.classes
        self.logits, self.targets = dict(zip(networks, logits, strict=True)), targets
        scores = {name: score(found, targets, classes) for name, found in self.logits.items()}
        if average is not None:
            if not known:
                self._scored = (models, scores.get(AVERAGED, scores[LAST]))
            assert self._scored[1] is not None
            scores[AVERAGED] = self._scored[1]
        return scores


def _same_weights(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in mine.items())


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


def announce(
    epoch: int,
    epochs: int,
    train_loss: float,
    scores: dict[str, Scores],
    seconds_left: float | None,
) -> None:
    """Tell a person how an epoch went, and how long the rest of the run takes, if that is known."""
    told = [f"epoch {epoch} of {epochs}: training loss {train_loss:.5f}"]
    told += [f"{name} weights: {_told(found)}" for name, found in scores.items()]
    if epoch < epochs and seconds_left is not None:
        told.append(f"{minutes(seconds_left)} left in all")
    _log.info("; ".join(told))


def announce_start(scores: dict[str, Scores]) -> None:
    """Tell a person how good the first weights are."""
    for found in scores.values():
        _log.info("before the first epoch: %s", _told(found))


def _told(found: Scores) -> str:
    return (
        f"loss {found.loss:.5f}, mAP {found.mean_average_precision:.4f}, "
        f"ROC-AUC {found.roc_auc:.4f}"
    )


def minutes(seconds: float) -> str:
    """Give a time that is guessed in words: "about 1 h 20 min"."""
    whole = round(seconds / 60)
    hours, rest = divmod(whole, 60)
    return f"about {hours} h {rest} min" if hours else f"about {rest} min"
