"""Runs whose results are tables, and what is in them."""

from __future__ import annotations

from pathlib import Path

import essentia_maest as maest
from audio_fixtures import write_audio
from essentia_maest import Model
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import RunReport
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.results.columns import TIMES


def write_music(folder: Path) -> Path:
    """Write four files of twelve seconds, each of another format."""
    for number, ending in enumerate(("flac", "mp3", "ogg", "wav")):
        write_audio(folder / "sub" / f"{number}.{ending}", 12.0, 44100, 2, seed=number)
    return folder


def run(
    model: Model, music: Path, out: Path, *, sink: dict | None = None, top_k: int = 2, **more
) -> RunReport:
    options = more.pop("options", None) or AnalysisOptions.of(block=1, top_k=top_k)
    run = CollectionRun(
        model,
        options,
        TableSink(out, **(sink or {})),
        **{"workers": 1, "reporter": SilentReporter(), **more},
    )
    return run.run(scan([music]))


def table(out: Path, name: str = "tracks") -> dict[str, list]:
    found = getattr(maest.open_results(out), name)
    return {column: found[column].to_pylist() for column in found.column_names}


def rows(out: Path, name: str = "tracks") -> list[tuple]:
    """All rows, but for where and when files are and what they took, in an order of their own."""
    columns = table(out, name)
    left_out = {"root", "mtime", "id", "track", *TIMES}
    kept = [columns[key] for key in columns if key not in left_out]
    return sorted(map(repr, zip(*kept, strict=True)))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}
