"""From labels and tables of results to a head, and an account of what it is worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..head import Head
from ..reading.head_description import MULTI_CLASS
from .examples import Array, Examples, embedding_of, examples_of, small_classes, without_small
from .fitting import fit_head, folds_of, out_of_fold, probabilities_of, temperature_of
from .groups import groups_of
from .scores import (
    ACCURACY,
    ClassScore,
    Score,
    calibration_error,
    class_scores,
    confusion,
    log_loss_of,
    scores_of,
)
from .writing import write_head

if TYPE_CHECKING:
    from ..results.opened import Results
    from .labels import Labels

FEW = 10
"""Files of a class below which a warning says that they are few."""

FEW_GROUPS = 10
"""Groups below which a warning says that intervals are rough."""

_LARGEST = 1e-4  # by which the head that was written may differ from the one that was fitted


@dataclass(frozen=True)
class Calibration:
    """What dividing logits by one number does to probabilities.

    Attributes
    ----------
    temperature : float
        That number; 1 where none was found to help.
    log_loss, error : tuple of float
        Log loss and expected calibration error of tracks that were not learnt from: before, and
        with a temperature that was found without their fold.
    """

    temperature: float
    log_loss: tuple[float, float]
    error: tuple[float, float]


@dataclass(frozen=True)
class Account:
    """What predictions of labelled tracks are worth.

    Attributes
    ----------
    classes : tuple of str
    kind : str
    tracks, groups : int
        How many there are.
    scores : dict of str to Score
    of_classes : list of ClassScore
    table : numpy.ndarray or None
        Of one label a track: [true class, predicted class].
    warnings : list of str
    folds : int
        Of the cross-validation; 0 where a head was tested that had been fitted before.
    strength : float or None
        Inverse strength of the penalty, where a head was fitted.
    calibration : Calibration or None
    probabilities : numpy.ndarray
        float64, [tracks, classes]: what was scored.
    examples : Examples
    """

    classes: tuple[str, ...]
    kind: str
    tracks: int
    groups: int
    scores: dict[str, Score]
    of_classes: list[ClassScore]
    table: Array | None
    warnings: list[str]
    folds: int
    strength: float | None
    calibration: Calibration | None
    probabilities: Array
    examples: Examples

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as JSON has them."""
        return {
            "tracks": self.tracks,
            "groups": self.groups,
            "folds": self.folds,
            "scores": {name: dataclasses.asdict(score) for name, score in self.scores.items()},
            "classes": [dataclasses.asdict(score) for score in self.of_classes],
            "confusion": None if self.table is None else self.table.tolist(),
            "inverse_strength": self.strength,
            "calibration": self.calibration and dataclasses.asdict(self.calibration),
            "warnings": self.warnings,
        }


def fit(
    labels: Labels,
    results: Results,
    path: Path,
    *,
    grouping: str | None = None,
    leave_out_small: bool = False,
    seed: int = 0,
    tell: Callable[[str], object] = lambda text: None,
) -> Account:
    """Fit a head on labelled tracks, score it by cross-validation, and write it.

    Parameters
    ----------
    labels : Labels
    results : Results
        Tables with embeddings.
    path : pathlib.Path
        The ``.onnx`` file to write.
    grouping : str, optional
        See `essentia_maest.heads.groups.groups_of`.
    leave_out_small : bool
        Leave classes out of which there are too few files, rather than refuse.
    seed : int
        Of folds and bootstrap: the same gives the same.
    tell : callable
        Called with a line for each step that takes time.

    Returns
    -------
    Account
        Scores are those of heads that were fitted, penalty and all, without the group of the track
        that they predict.

    Raises
    ------
    InvalidArgumentError
        The labels, or the tables, do not do for a head; the file cannot be written.
    ImportError
        If ``essentia-maest[head]`` is not installed.
    """
    examples, warnings = examples_of(labels, results)
    groups, about_groups = groups_of(examples, grouping)
    left, about_small = without_small(examples, groups, leave_out=leave_out_small)
    if about_small:
        examples = left
        groups, about_groups = groups_of(examples, grouping)
    truth, kind = examples.truth, examples.kind
    folds = folds_of(truth, groups, seed)
    tell(
        f"{len(truth)} tracks of {len(set(groups))} groups, {len(examples.classes)} classes; "
        f"cross-validation in {len(folds)} folds"
    )
    logits = np.zeros(truth.shape)
    for test, found in out_of_fold(examples.embeddings, truth, groups, kind, seed):
        logits[test] = found
    calibration = _calibrated(logits, truth, kind, [test for _, test in folds])
    head, strength = fit_head(examples.embeddings, truth, groups, kind, seed)
    head = head.cooled(calibration.temperature)
    account = _account(
        examples,
        groups,
        probabilities_of(logits, kind),
        [*warnings, *about_small, *about_groups],
        seed,
        folds=len(folds),
        strength=strength,
        calibration=calibration,
    )
    write_head(
        path,
        head,
        examples.classes,
        embedding_of(results),
        metrics=account.as_json(),
        tracks=len(truth),
    )
    written = Head(path).predict(examples.embeddings)
    wanted = probabilities_of(head.logits(examples.embeddings), kind)
    difference = float(np.abs(written - wanted).max())
    if difference > _LARGEST:
        account.warnings.append(
            f"the file's activations differ by up to {difference:.2g} from those that were fitted"
        )
    return account


def score_head(
    head: Head,
    labels: Labels,
    results: Results,
    *,
    grouping: str | None = None,
    seed: int = 0,
) -> Account:
    """Score a head on labelled tracks that it was not fitted on.

    Parameters
    ----------
    head : Head
    labels : Labels
        None but the head's.
    results : Results
        Tables with the embeddings that the head was made for.
    grouping, seed
        See `fit`.

    Returns
    -------
    Account

    Raises
    ------
    InvalidArgumentError
        The tables hold other embeddings; there is a label that the head does not know; a class has
        no track, or all.
    """
    head.require_embedding(embedding_of(results), str(results.folder))
    examples, warnings = examples_of(labels, results, head.labels)
    if head.kind is not None:
        examples = dataclasses.replace(examples, kind=head.kind)
    groups, about_groups = groups_of(examples, grouping)
    left, about_small = without_small(examples, range(len(examples.files)), leave_out=True)
    kept = [head.labels.index(name) for name in left.classes]
    if about_small:
        rows = {id(file): row for row, file in enumerate(examples.files)}
        groups = [groups[rows[id(file)]] for file in left.files]
    found = head.predict(left.embeddings)[:, kept].astype(np.float64)
    about = [*warnings, *about_small, *about_groups]
    return _account(left, groups, found, about, seed)


def _calibrated(logits: Array, truth: Array, kind: str, folds: Sequence[Array]) -> Calibration:
    before = probabilities_of(logits, kind)
    after = np.zeros_like(before)
    for test in folds:
        others = np.setdiff1d(np.arange(len(truth)), test)
        temperature = temperature_of(logits[others], truth[others], kind)
        after[test] = probabilities_of(logits[test] / temperature, kind)
    losses = log_loss_of(truth, before, kind), log_loss_of(truth, after, kind)
    errors = calibration_error(truth, before, kind), calibration_error(truth, after, kind)
    helps = losses[1] < losses[0]
    return Calibration(temperature_of(logits, truth, kind) if helps else 1.0, losses, errors)


def _account(
    examples: Examples,
    groups: Sequence[int],
    probabilities: Array,
    warnings: list[str],
    seed: int,
    *,
    folds: int = 0,
    strength: float | None = None,
    calibration: Calibration | None = None,
) -> Account:
    truth, kind = examples.truth, examples.kind
    scores = scores_of(truth, probabilities, groups, kind, seed)
    if small := small_classes(examples, FEW):
        warnings.append(f"few files of {', '.join(small)}; {FEW} or more are wanted of each class")
    if len(set(groups)) < FEW_GROUPS:
        warnings.append(
            f"{len(set(groups))} groups: intervals are rough, and too narrow if anything; "
            f"{FEW_GROUPS} or more are wanted"
        )
    accuracy = scores.get(ACCURACY)
    if accuracy is not None and accuracy.low <= accuracy.baseline:
        warnings.append(
            "accuracy is not shown to be better than always the commonest class: its interval "
            "reaches down to that"
        )
    return Account(
        examples.classes,
        kind,
        len(truth),
        len(set(groups)),
        scores,
        class_scores(truth, probabilities, examples.classes, kind),
        confusion(truth, probabilities) if kind == MULTI_CLASS else None,
        warnings,
        folds,
        strength,
        calibration,
        probabilities,
        examples,
    )
