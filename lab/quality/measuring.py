"""From features to scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lab.quality.agreement import agreement
from lab.quality.held_out import HeldOut
from lab.quality.plan import WHOLE, Subject
from lab.quality.tables import PatchoutScores, Results
from training.downstream.linear import probe
from training.downstream.scores import ALL, FamilyScores, difference, family_scores
from training.downstream.speed import Speed
from training.downstream.systems import ACTIVATIONS, EMBEDDING, LAST, Features
from training.recipe.bootstrap import Interval

FULL_PRECISION = "fp32"


class Measuring:
    """Fills `Results`, system by system, in any order.

    Parameters
    ----------
    held_out : HeldOut
    labels : tuple of str
        The model's classes, in the order of its activations.
    tokens : mapping of str to int
        Of a segment; by name, of each system that is the model under some patchout.
    speeds : mapping of str to Speed
        Of the same.
    draws, seed : int
        Of the bootstrap.
    about : dict of str to str
        What was measured, and on what.
    """

    def __init__(
        self,
        held_out: HeldOut,
        labels: tuple[str, ...],
        *,
        tokens: Mapping[str, int],
        speeds: Mapping[str, Speed],
        draws: int,
        seed: int,
        about: dict[str, str],
    ) -> None:
        self.results = Results(about=about)
        self._held_out = held_out
        self._columns = held_out.columns_of(labels)
        self._bootstrap = {"draws": draws, "seed": seed}
        rows = held_out.of_split(held_out.labelled, "test")
        self._truth = _yes_or_no(held_out.targets[np.ix_(rows, held_out.true_columns)])
        self._groups = held_out.groups[rows]
        self._probes: dict[str, NDArray[np.float32]] = {}
        self._embeddings: dict[str, NDArray[np.float32]] = {}
        self._over_all: dict[str, Interval] = {}
        self._done: dict[str, Subject] = {}
        self._tokens = tokens
        self._speeds = speeds

    def rows_wanted(self, subject: Subject) -> NDArray[np.int64]:
        """Say of which rows of the table a system's features are wanted, in ascending order."""
        held_out = self._held_out
        wanted = [np.empty(0, np.int64)]
        if subject.probed:
            wanted.append(held_out.labelled)
        if subject.patchout:
            wanted.append(held_out.tested)
        return np.unique(np.concatenate(wanted))

    def ordered(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring the model's activations [tracks, its classes] into the order of our classes."""
        return activations[:, self._columns]

    def add(self, subject: Subject, features: Features) -> None:
        """Score a system.

        Parameters
        ----------
        subject : Subject
        features : dict of str to float32 [rows wanted, values]

        Raises
        ------
        DataError
            When features cannot be scored: they are not finite.
        """
        rows = self.rows_wanted(subject)
        if subject.probed:
            self._probe(subject.name, features[EMBEDDING], rows)
            if LAST in features:
                self._probe(f"{subject.name}, last block", features[LAST], rows)
        if subject.patchout:
            self._predict(subject, self.ordered(features[ACTIVATIONS]), rows)
            tested = np.isin(rows, self._held_out.tested)
            self._embeddings[subject.name] = features[EMBEDDING][tested]
            self._done[subject.name] = subject
        self._compare()

    def _probe(self, name: str, values: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        held_out = self._held_out
        labelled = held_out.labelled
        self._probes[name] = probe(
            values[np.isin(rows, labelled)],
            _yes_or_no(held_out.targets[np.ix_(labelled, held_out.true_columns)]),
            held_out.true_classes,
            held_out.splits[labelled],
        )
        self.results.probes[name] = family_scores(
            self._probes[name],
            self._truth,
            held_out.true_classes,
            self._groups,
            **self._bootstrap,
        )

    def _predict(
        self, subject: Subject, activations: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> None:
        held_out = self._held_out
        labelled = np.isin(rows, held_out.of_split(held_out.labelled, "test"))
        scores = family_scores(
            activations[np.ix_(labelled, held_out.true_columns)],
            self._truth,
            held_out.true_classes,
            self._groups,
            **self._bootstrap,
        )
        self._over_all[subject.name] = _over_all(scores)
        self.results.predictions[subject.name] = scores
        heard = held_out.of_split(held_out.heard, "test")
        training = held_out.of_split(held_out.heard, "train")
        if not len(heard) or not len(training):
            return
        teacher = held_out.teacher_columns
        self.results.agreement[subject.name] = agreement(
            activations[np.ix_(np.isin(rows, heard), teacher)],
            held_out.targets[np.ix_(heard, teacher)],
            held_out.teacher_classes,
            held_out.groups[heard],
            held_out.targets[np.ix_(training, teacher)].mean(0),
            **self._bootstrap,
        )

    def _compare(self) -> None:
        """Compare with the baseline and with full precision what can be compared by now."""
        results = self.results
        baseline = self._probes.get(results.baseline)
        for name, answers in self._probes.items():
            if baseline is None or name == results.baseline or name in results.probe_differences:
                continue
            results.probe_differences[name] = difference(
                answers,
                baseline,
                self._truth,
                self._held_out.true_classes,
                self._groups,
                **self._bootstrap,
            )
        exact = self._embeddings.get(f"{FULL_PRECISION} {WHOLE}")
        results.patchout = [
            PatchoutScores(
                subject.precision,
                subject.patchout,
                self._tokens[name],
                times_real_time=self._speeds[name].analysis,
                predictions=self._over_all[name],
                probes=_over_all(results.probes[name]) if subject.probed else None,
                cosine=None if exact is None else _cosine(self._embeddings[name], exact),
            )
            for name, subject in self._done.items()
        ]


def _yes_or_no(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make weights of true labels 1, what is not labelled 0, and keep NaN."""
    return np.where(np.isnan(weights), np.nan, weights > 0).astype(np.float32)


def _over_all(scores: Mapping[str, FamilyScores]) -> Interval:
    """Give the mAP over all classes, also where they are of one family."""
    return (scores.get(ALL) or next(iter(scores.values()))).mean_average_precision


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Give the mean over tracks of the cosine between features [tracks, values]."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(1) / lengths))
