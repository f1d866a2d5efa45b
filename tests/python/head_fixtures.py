"""Tables of results with chosen embeddings, and labels for them: no audio is analysed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from essentia_maest.head import Head
from essentia_maest.heads.fitting import LinearHead
from essentia_maest.heads.labels import Labels, read_labels
from essentia_maest.heads.writing import write_head
from essentia_maest.reading.head_description import HeadEmbedding
from essentia_maest.results.columns import TABLES, Vectors, is_vector
from essentia_maest.results.opened import Results
from essentia_maest.results.parquet import Rows
from essentia_maest.results.parts import PartsFolder

DIM, SEGMENTS = 12, 2
SHA256 = "ab" * 32
OPTIONS = {
    "output": "both",
    "block": 7,
    "tokens": ["cls", "dist", "avg"],
    "patchout": "F0T0",
    "hop": None,
    "tail": "repeat",
    "top_k": 5,
}


def embeddings_of(names: list[str], seed: int = 0) -> np.ndarray:
    """Segments round a centre of each class, [tracks, SEGMENTS, DIM]: hard enough to err."""
    rng = np.random.default_rng(seed)
    centres = {name: rng.standard_normal(DIM) for name in sorted(set(names))}
    centre = np.stack([centres[name] for name in names])
    spread = rng.standard_normal((len(names), SEGMENTS, DIM)) * 2
    return (centre[:, None] + spread).astype(np.float32) * np.linspace(1, 30, DIM, dtype=np.float32)


def write_results(
    folder: Path,
    files: list[str],
    segments: np.ndarray,
    *,
    root: str = "/music",
    hashes: list[str] | None = None,
    model: str = SHA256,
    options: dict | None = None,
) -> Results:
    """Write a part of tables. `segments` is [tracks, segments, values]."""
    count, each, values = segments.shape
    plain = {"int64": 7, "int32": each, "float64": 10.0, "bool": False, "text": "text"}
    columns = {
        column.name: [None if column.gaps else plain.get(column.kind)] * count
        for column in TABLES["tracks"]
        if not is_vector(column)
    }
    first = sum(1 for _ in PartsFolder(folder).files("tracks")) * 1000
    ids = list(range(first, first + count))
    columns |= {"id": ids, "path": files, "root": [root] * count, "top": [[]] * count}
    columns["audio_hash"] = hashes or [f"{folder.name}-{number}" for number in ids]
    told = {
        "labels": ["x", "y"],
        "model": {"name": "tiny", "sha256": model, "path": "/nowhere/tiny.onnx"},
        "options": options or OPTIONS,
    }
    predictions = np.full((count, 2), 0.5, np.float32)
    PartsFolder(folder).write(
        Rows(columns, {"embedding": segments.mean(axis=1), "predictions": predictions}, told),
        Rows(
            {
                "track": [number for number in ids for _ in range(each)],
                "start": [5.0 * place for _ in ids for place in range(each)],
                "seconds": [5.0 - 3 * place for _ in ids for place in range(each)],
            },
            {
                "embedding": segments.reshape(-1, values),
                "predictions": predictions.repeat(each, axis=0),
            },
            told,
        ),
        Vectors(values, 2),
    )
    return Results(folder)


def labelled(
    folder: Path, count: int = 48, classes: tuple[str, ...] = ("folk", "rock", "techno")
) -> tuple[Results, Labels, list[str]]:
    """Tables and a sheet: classes in turn, albums of four tracks of one class."""
    names = [classes[(number // 4) % len(classes)] for number in range(count)]
    files = [f"album{number // 4}/{number}.mp3" for number in range(count)]
    results = write_results(folder / "out", files, embeddings_of(names))
    sheet = folder / "labels.csv"
    rows = [f"{file},{name}" for file, name in zip(files, names, strict=True)]
    sheet.write_text("\n".join(["path,label", *rows]) + "\n")
    return results, read_labels(sheet), names


def write_linear_head(
    path: Path,
    values: int = DIM,
    classes: tuple[str, ...] = ("folk", "rock", "Électro - house"),
    kind: str = "multi-class",
    *,
    model: str = SHA256,
    block: int = 7,
    tokens: tuple[str, ...] = ("cls", "dist", "avg"),
) -> Head:
    """Write a head with random weights, as `maest head fit` writes one; give it opened."""
    rng = np.random.default_rng(len(classes))
    head = LinearHead(
        rng.standard_normal(values),
        rng.uniform(0.5, 2, values),
        rng.standard_normal((values, len(classes))) / np.sqrt(values),
        rng.standard_normal(len(classes)),
        kind,
    )
    embedding = HeadEmbedding("tiny", model, block, tokens, values, {"patchout": "F0T0"})
    write_head(path, head, classes, embedding, metrics={}, tracks=0)
    return Head(path)
