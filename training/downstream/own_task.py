"""What a model scores on the task that it was trained on: the upper halves of Tables 3 and 4."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

import essentia_maest as maest
from essentia_maest.files import sha256_of
from training.data.labels import Labels
from training.downstream.evaluation import Data, Options
from training.downstream.extraction import extract
from training.downstream.scores import FamilyScores, family_scores
from training.downstream.systems import ACTIVATIONS, Audio, Features, track_mean
from training.errors import DataError


def score_own_task(data: Data, model: Path, cache: Path, options: Options) -> FamilyScores:
    """Score a model's own activations, means over a track's segments, on a test split.

    Parameters
    ----------
    data : Data
        Music with the model's classes; those of `data.families` only, if there are some.
    model : Path
    cache : Path
        Folder in which activations are kept.
    options : Options

    Returns
    -------
    FamilyScores
        Over all classes.

    Raises
    ------
    DataError
        The test split is empty, its audio or its labels cannot be used, or the model lacks a class.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    tracks = data.tracks
    rows = np.flatnonzero(np.array(tracks.table["split"].to_pylist()) == "test")
    wanted = [
        (column, name)
        for column, name in enumerate(tracks.classes)
        if not data.families or name.partition("---")[0] in data.families
    ]
    make = partial(_Predictions, model)
    places = {label: place for place, label in enumerate(make().classes)}
    missing = [name for _, name in wanted if name not in places]
    if missing or not wanted:
        raise DataError(
            f"{data.path}: {len(missing)} of {len(wanted)} classes are none of the "
            f"{len(places)} that {model.name} has, for instance {missing[:1]}; wanted the classes "
            "that it was trained on"
        )
    key = f"{sha256_of(model)}, activations, segments weighed"
    activations = extract(make, key, tracks, rows, cache, workers=options.processes)[ACTIVATIONS]
    table = tracks.table
    labels = Labels(table["labels"], table["weights"], table["families"], tracks.classes)
    targets = np.stack([labels.targets(int(row)) for row in rows])[
        :, [column for column, _ in wanted]
    ]
    scores = family_scores(
        activations[:, [places[name] for _, name in wanted]],
        targets,
        [name for _, name in wanted],
        np.array(table["group"].to_pylist())[rows],
        draws=options.draws,
        seed=options.seed,
    )
    return list(scores.values())[-1]


class _Predictions:
    """A model's activations, by one thread."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._model = maest.Model(path, num_threads=1)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._model.labels

    def features(self, audio: Audio) -> Features:
        """Compute their means (`track_mean`) over the segments of float32 [samples]."""
        predicted = self._model.predict(audio, tail="repeat")
        return {ACTIVATIONS: track_mean(self._model, predicted, len(audio))}
