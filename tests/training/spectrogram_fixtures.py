"""Small data sets on disk, written by the real writer, with labels that can be learned."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from training.data.excerpt import excerpt
from training.data.index import finish_dataset
from training.data.outcomes import Refusal, Spectrogram, read_outcomes, written_shard
from training.data.store import SpectrogramStore
from training.data.tracks import SCHEMA, Tracks

SHARD_TRACKS = 16


def class_names(classes: int) -> tuple[str, ...]:
    """Two families, as Discogs' styles are named."""
    families = ("Electronic", "Folk")
    return tuple(f"{families[i % 2]}---Style {i}" for i in range(classes))


def make_mel(labels: list[int], classes: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Noise, with the bands of each label louder: [frames, 96] float16, values like real mels."""
    mel = rng.normal(2.0, 0.5, (frames, 96))
    width = 96 // classes
    for label in labels:
        mel[:, label * width : (label + 1) * width] += 2.0
    return np.clip(mel, 0, None).astype(np.float16)


def make_tracks(
    *,
    tracks: int,
    classes: int,
    seed: int,
    folder: Path = Path("/music"),
    families: bool = False,
) -> Tracks:
    """A tracks table: 1 or 2 labels a track, every class in every split, half/quarter/quarter.

    With `families`, every fourth track is annotated for the family of its first label only.
    """
    rng = np.random.default_rng([seed, 1])
    names = class_names(classes)
    labels, known = [], []
    for i in range(tracks):
        first = (i // 4) % classes
        second = int(rng.integers(classes))
        same = names[first].split("---")[0]
        partly = families and i % 4 == 0
        if second == first or (partly and not names[second].startswith(same)):
            labels.append([names[first]])
        else:
            labels.append([names[first], names[second]])
        known.append([same] if partly else None)
    table = pa.table(
        {
            "id": [f"track {i}" for i in range(tracks)],
            "path": [f"{i}.ogg" for i in range(tracks)],
            "labels": labels,
            "weights": [[1.0] * len(row) for row in labels],
            "families": known,
            "group": [f"artist {i}" for i in range(tracks)],
            "split": [("train", "train", "validation", "test")[i % 4] for i in range(tracks)],
        },
        schema=SCHEMA,
    )
    return Tracks(table, names, folder)


def make_store(
    folder: Path,
    *,
    tracks: int = 64,
    classes: int = 4,
    frames: int | tuple[int, int] = 64,
    seed: int = 0,
    families: bool = False,
    refused: tuple[int, ...] = (),
) -> SpectrogramStore:
    """Write a data set of synthetic mels and open it.

    Parameters
    ----------
    folder : Path
        Is made.
    tracks, classes : int
        Half of the tracks train, a quarter each validates and tests; up to 48 classes. A class
        shows as louder bands, so that even a small model learns it.
    frames : int or (int, int)
        Of each track; with two, drawn from least to most.
    seed : int
    families : bool
        Every fourth track is annotated for one family of classes only (NaN targets).
    refused : tuple of int
        Tracks that come out unusable.
    """
    table = make_tracks(tracks=tracks, classes=classes, seed=seed, families=families)
    return write_store(folder, table, frames=frames, seed=seed, refused=refused)


def write_store(
    folder: Path,
    tracks: Tracks,
    *,
    frames: int | tuple[int, int] = 64,
    seed: int = 0,
    refused: tuple[int, ...] = (),
) -> SpectrogramStore:
    """`make_store` for a tracks table of one's own."""
    rng = np.random.default_rng([seed, 2])
    least, most = (frames, frames) if isinstance(frames, int) else frames
    codes = {name: code for code, name in enumerate(tracks.classes)}
    rows = tracks.table.select(["id", "labels"]).to_pylist()
    outcomes = []
    for number, start in enumerate(range(0, len(rows), SHARD_TRACKS)):
        with written_shard(folder, number) as shard:
            for i, row in enumerate(rows[start : start + SHARD_TRACKS], start):
                if i in refused:
                    shard.append(row["id"], Refusal("too short", "3.0 s; wanted 20 s"))
                    continue
                labels = [codes[name] for name in row["labels"]]
                length = int(rng.integers(least, most + 1))
                mel = make_mel(labels, len(codes), length, rng)
                shard.append(row["id"], Spectrogram.of(mel))
        outcome = read_outcomes(folder, number, len(rows[start : start + SHARD_TRACKS]))
        assert outcome is not None
        outcomes.append(outcome)
    finish_dataset(
        folder,
        tracks,
        outcomes,
        shard_tracks=SHARD_TRACKS,
        seconds=30.0,
        shortest_seconds=20.0,
    )
    return SpectrogramStore(folder)


def excerpt_or_misbehave(path: str) -> Spectrogram | Refusal:
    """Die, hang or raise for files whose names say so; runs in worker processes."""
    name = Path(path).name
    if name.startswith("segfaults"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hangs"):
        time.sleep(600)
    if name.startswith("raises"):
        raise RuntimeError("strange decoder")
    return excerpt(path, seconds=1.0, shortest_seconds=0.5)
