"""Small folders of results, written as `maest analyze` writes them, for what reads them."""

from __future__ import annotations

import os
import wave
from pathlib import Path
from typing import Any

import numpy as np

from essentia_maest.results.columns import Vectors
from essentia_maest.results.parquet import Rows
from essentia_maest.results.parts import PartsFolder
from essentia_maest.results.path_text import path_text

LABELS = [f"Genre---{name}" for name in ("jazz", "rock", "<b>polka</b>", "waltz")] + [
    f"Mood---{name}" for name in ("calm", "wild")
]
FAMILIES = ["Genre", "Mood"]
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">.wav"
BROKEN = os.fsdecode(b"caf\xe9.wav")
DIM = 24


def write_sound(path: Path, seconds: float = 3.0) -> None:
    """Write a file that browsers play."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = np.sin(np.arange(int(8000 * seconds)) * 0.3) * 8000
    with wave.open(os.fspath(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(tone.astype("<i2").tobytes())


def write_results(
    folder: Path,
    root: Path,
    names: list[str],
    *,
    segments: int = 6,
    embeddings: bool = True,
    predictions: bool = True,
    families: bool = True,
    failures: int = 1,
    parts: int = 2,
) -> None:
    """Write tables of tracks in as many groups as there are genres, track i in group i modulo 4.

    Of a group, tracks are near each other, and its genre leads. Three segments in, moods swap.
    """
    rng = np.random.default_rng(0)
    count = len(names)
    vectors = Vectors(DIM if embeddings else None, len(LABELS) if predictions else None)
    group = np.arange(count) % 4
    embedding = (4 * np.eye(DIM)[group] + rng.normal(0, 0.3, (count, DIM))).astype(np.float32)
    activations = rng.uniform(0.02, 0.08, (count, len(LABELS))).astype(np.float32)
    activations[np.arange(count), group] = rng.uniform(0.6, 0.9, count)
    activations[:, 4] = 0.5
    told: dict[str, Any] = {
        "labels": LABELS,
        "label_families": FAMILIES if families else [],
        "model": {"name": "made up"},
    }
    tables = PartsFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for some in np.array_split(np.arange(count), parts) if count else []:
        values: dict[str, list[Any]] = {
            "id": (some * 10 - 50).tolist(),
            "path": [path_text(names[row]) for row in some],
            "root": [path_text(root)] * len(some),
            "size": [1000] * len(some),
            "mtime": [1] * len(some),
            "audio_hash": [f"{row:032x}" for row in some],
            "seconds": (10.0 * segments + some).tolist(),
            "segments": [segments] * len(some),
            "decoder": ["libsndfile"] * len(some),
            "container": ["wav"] * len(some),
            "codec": ["pcm"] * len(some),
            "truncated": [bool(row == 1) for row in some],
            "seconds_promised": [300.0 if row == 1 else None for row in some],
            "damage": ["<i>two</i> frames" if row == 2 else None for row in some],
            "silent": [False] * len(some),
            "short": [False] * len(some),
            # The third takes longest, though it is not.
            "decode_seconds": [90.0 if row == 2 else 0.25 for row in some],
            "model_seconds": (0.5 + some / 1000).tolist(),
        }
        if predictions:
            label = {"family": "Genre", "label": LABELS[0], "activation": 0.5}
            values["top"] = [[label]] * len(some)
        over_time = np.repeat(activations[some], segments, axis=0)
        later = np.tile(np.arange(segments), len(some)) >= 3
        over_time[later, 4], over_time[later, 5] = 0.1, 0.9
        tables.write(
            Rows(values, {"embedding": embedding[some], "predictions": activations[some]}, told),
            Rows(
                {
                    "track": np.repeat(values["id"], segments).tolist(),
                    "start": np.tile(np.arange(segments) * 10.0, len(some)).tolist(),
                    "seconds": [10.0] * (segments * len(some)),
                },
                {"embedding": np.repeat(embedding[some], segments, 0), "predictions": over_time},
                told,
            ),
            vectors,
        )
    if failures:
        tables.write_failures(
            Rows(
                {
                    "path": [f"bad{number}.mp3" for number in range(failures)],
                    "root": [path_text(root)] * failures,
                    "stage": ["decode"] * failures,
                    "reason": ["<script>alert(1)</script> is no audio"] * failures,
                    "error": [None] * failures,
                    "size": [1] * failures,
                    "mtime": [1] * failures,
                },
                {},
                told,
            )
        )
