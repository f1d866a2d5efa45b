"""Tracks and models small enough to be measured in a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile

from essentia_maest.making.graph import Precision
from essentia_maest.making.metadata import ModelDescription
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.weights import random_weights
from training.data.ragged import Ragged
from training.data.tracks import make_tracks, write_tracks

CLASSES = (
    "Genre---reel",
    "Genre---rock",
    "MagnaTagATune---guitar",
    "MagnaTagATune---new age",
    "MillionSong---Hip-Hop",
    "MillionSong---rock",
    "Tempo---fast",
)
SECONDS = 1.5


def make_measured_tracks(folder: Path, *, labelled: int = 12, heard: int = 6) -> Path:
    """Write noise with the labels of CLASSES, and a tracks table of it, dealt out over splits.

    Tracks of true labels are loud for one genre and quiet for the other; a third of both kinds is
    in each split, and groups are pairs.
    """
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    names, labels, weights, families, groups, splits = [], [], [], [], [], []
    for number in range(labelled + heard):
        true = number < labelled
        genre = number % 2
        loudness = (0.01, 0.3)[genre]
        noise = loudness * random.standard_normal(round(16000 * SECONDS))
        name = f"{'labelled' if true else 'heard'}{number}"
        soundfile.write(folder / f"{name}.flac", noise.astype(np.float32), 16000)
        names.append(name)
        labels.append([genre] + ([6] if number % 4 < 2 else []) if true else [2, 3, 4, 5])
        weights.append([1.0] * len(labels[-1]) if true else random.uniform(0.1, 0.9, 4).tolist())
        families.append(["Genre", "Tempo"] if true else ["MagnaTagATune", "MillionSong"])
        groups.append(f"artist/{name}")
        splits.append((number // 4 if true else number) % 3)
    lengths = np.cumsum([0, *map(len, labels)])
    tracks = make_tracks(
        ids=pa.chunked_array([names]),
        paths=pa.chunked_array([[f"{name}.flac" for name in names]]),
        labels=Ragged(lengths, np.concatenate(labels)),
        weights=np.concatenate(weights).astype(np.float32),
        families=pa.chunked_array([families]),
        group=pa.chunked_array([groups]),
        split=np.array(splits),
        classes=CLASSES,
        folder=folder,
    )
    write_tracks(tracks, folder / "tracks.parquet")
    return folder / "tracks.parquet"


def write_tiny_model(
    path: Path, precision: Precision = "fp32", *, labels: tuple[str, ...] = CLASSES, seed: int = 1
) -> Path:
    """Write a model of random weights for segments of 1 s, said to be trained."""
    weights = random_weights(
        dim=16, depth=8, heads=2, hidden=24, classes=len(labels), columns=5, seed=seed
    )
    description = ModelDescription(
        name="tiny",
        description="for a test",
        labels=labels,
        trained=True,
        license="CC0",
        source="random",
        source_sha256="",
        mean=1.5,
        standard_deviation=0.75,
    )
    write_model(weights, description, precision, path)
    return path
