"""Tables of results, written without analysing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from essentia_maest.results.columns import TRACKS, Vectors, is_vector
from essentia_maest.results.parquet import Rows
from essentia_maest.results.parts import PartsFolder
from essentia_maest.results.path_text import path_text

LABELS = ("Genre---jazz", "Genre---rock", "Metre---quadruple", "Metre---triple")
FAMILIES = ("Genre", "Metre")


def write_results(
    out: Path,
    paths: Sequence[str],
    *,
    root: str = "/music",
    embeddings: np.ndarray | None = None,
    predictions: np.ndarray | None = None,
    audio: Sequence[str] | None = None,
    labels: Sequence[str] = LABELS,
    sha256: str = "0" * 64,
    kind: str = "float32",
    silent: Sequence[str] = (),
) -> Path:
    """Write a part with a row for each path, and no segments."""
    count = len(paths)
    named = [
        [
            {
                "family": label.split("---")[0] if labels == LABELS else None,
                "label": label,
                "activation": 0.5,
            }
            for label in labels
        ]
    ] * count
    plain = {"int64": 7, "int32": 2, "float64": 61.4, "bool": False, "text": "text"}
    values = {
        column.name: [None if column.gaps else plain.get(column.kind)] * count
        for column in TRACKS
        if not is_vector(column)
    }
    values |= {
        "id": list(range(count)),
        "path": [path_text(path) for path in paths],
        "root": [path_text(root)] * count,
        "audio_hash": list(audio or [f"{path_text(path)} of {root}" for path in paths]),
        "silent": [path in silent for path in paths],
        "top": named,
    }
    vectors = {
        name: array
        for name, array in (("embedding", embeddings), ("predictions", predictions))
        if array is not None
    }
    if predictions is None:
        del values["top"]
    widths = {name: array.shape[1] for name, array in vectors.items()}
    told = {
        "model": {"name": "tested", "sha256": sha256, "path": "/nowhere/tested.onnx"},
        "options": {"output": "both", "block": 7, "top_k": 5},
        "labels": list(labels),
    }
    parts = PartsFolder(out)
    parts.write(
        Rows(values, vectors, told),
        Rows(
            {"track": [], "start": [], "seconds": []}, {n: a[:0] for n, a in vectors.items()}, told
        ),
        Vectors(widths.get("embedding"), widths.get("predictions"), kind),
    )
    return out


def on_a_circle(degrees: Sequence[float]) -> np.ndarray:
    """Give directions in a plane: how near they are to each other is plain to see."""
    angles = np.radians(np.asarray(degrees, np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
