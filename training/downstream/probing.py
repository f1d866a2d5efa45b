"""From embeddings to scores: a probe learnt on the training split, judged on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.labels import Labels
from training.data.tracks import SPLITS, Tracks
from training.downstream.linear import probe
from training.downstream.mlp import Learnt, MlpSetting, learn
from training.downstream.scores import FamilyScores, difference, family_scores
from training.errors import DataError
from training.recipe.bootstrap import Interval

PROBES = ("mlp", "linear")


@dataclass(frozen=True)
class Task:
    """What a probe learns: tracks with embeddings, and what is known of them.

    Attributes
    ----------
    features : float32 [tracks, values]
    targets : float32 [tracks, classes]
        1, 0, or NaN where unknown.
    classes : tuple of str
    splits, groups : str [tracks]
    """

    features: NDArray[np.float32]
    targets: NDArray[np.float32]
    classes: tuple[str, ...]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]

    def of(self, split: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give embeddings and targets of a split."""
        chosen = self.splits == split
        return self.features[chosen], self.targets[chosen]

    def described(self) -> str:
        """Say how many tracks of each split there are, in a line."""
        counts = [f"{int((self.splits == split).sum()):,} {split}" for split in SPLITS]
        return f"{', '.join(counts)}; {len(self.classes)} classes"


def task_of(
    tracks: Tracks,
    features: NDArray[np.float32],
    rows: NDArray[np.int64],
    families: Sequence[str] = (),
) -> Task:
    """Put embeddings beside what is known of their tracks.

    Parameters
    ----------
    tracks : Tracks
    features : float32 [rows, values]
    rows : int64 [rows]
        Of which tracks they are.
    families : sequence of str
        Classes of these alone; none: all. Tracks of which nothing is known are left out.

    Raises
    ------
    DataError
        A family is that of no class, a split is empty, or a label is soft.
    """
    table = tracks.table
    labels = Labels(table["labels"], table["weights"], table["families"], tracks.classes)
    targets = np.stack([labels.targets(row) for row in rows])
    columns = np.arange(len(tracks.classes))
    if families:
        of_class = np.array([name.partition("---")[0] for name in tracks.classes])
        unknown = sorted(set(families) - set(of_class.tolist()))
        if unknown:
            raise DataError(
                f"no class of family {unknown[0]!r}; there are {', '.join(sorted(set(of_class)))}"
            )
        columns = np.flatnonzero(np.isin(of_class, list(families)))
    targets = targets[:, columns]
    known = np.flatnonzero(~np.isnan(targets).all(1))
    splits = np.array(table["split"].to_pylist())[rows][known]
    empty = [split for split in SPLITS if split not in splits]
    if empty:
        raise DataError(f"no track with embeddings and labels is in {empty[0]}; wanted some")
    sure = targets[~np.isnan(targets)]
    if not np.isin(sure, (0, 1)).all():
        raise DataError(
            "some labels are soft (weights below 1), and are no truth to score against; wanted "
            "families of true labels (--families)"
        )
    return Task(
        features[known],
        targets[known],
        tuple(tracks.classes[column] for column in columns),
        splits,
        np.array(table["group"].to_pylist())[rows][known],
    )


@dataclass(frozen=True)
class Judged:
    """Scores of a probe.

    Attributes
    ----------
    scores : dict of str to FamilyScores
        On the test split, by family, then all together where there are several.
    activations : float [test tracks, classes]
    learnt : Learnt or None
        Of an MLP.
    """

    scores: dict[str, FamilyScores]
    activations: NDArray[np.floating]
    learnt: Learnt | None

    @property
    def overall(self) -> FamilyScores:
        """Give the scores over all classes."""
        return list(self.scores.values())[-1]


def judge(
    task: Task,
    kind: str,
    setting: MlpSetting,
    *,
    draws: int = 1000,
    seed: int = 0,
    device: str = "cpu",
) -> Judged:
    """Learn a probe and score it on the test split.

    Parameters
    ----------
    task : Task
    kind : {"mlp", "linear"}
    setting : MlpSetting
        Of an MLP.
    draws : int
        Of the bootstrap over groups.
    seed : int
        Of probe and bootstrap.
    device : str
        That an MLP is trained on.

    Raises
    ------
    DataError
        There is no such probe, or the task cannot be learnt.
    """
    if kind not in PROBES:
        raise DataError(f"probe {kind!r}; wanted: {', '.join(PROBES)}")
    learnt = None
    test = task.splits == "test"
    if kind == "linear":
        activations: NDArray[np.floating] = probe(
            task.features, task.targets, task.classes, task.splits
        )
    else:
        learnt = learn(
            task.of("train"),
            task.of("validation"),
            task.features[test],
            setting,
            seed=seed,
            device=device,
        )
        activations = learnt.activations
    scores = family_scores(
        activations, task.targets[test], task.classes, task.groups[test], draws=draws, seed=seed
    )
    return Judged(scores, activations, learnt)


def gain(task: Task, one: Judged, other: Judged, *, draws: int, seed: int) -> Interval:
    """Say by how much mAP of one probe is above another's, over all classes, on the same draws.

    Parameters
    ----------
    task : Task
        Of either: their test splits are the same.
    one, other : Judged
    draws, seed : int
        Of the bootstrap over groups.

    Raises
    ------
    DataError
        Their test splits differ.
    """
    test = task.splits == "test"
    found = difference(
        one.activations,
        other.activations,
        task.targets[test],
        task.classes,
        task.groups[test],
        draws=draws,
        seed=seed,
    )
    return list(found.values())[-1].mean_average_precision
