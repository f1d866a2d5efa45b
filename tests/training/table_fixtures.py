"""A person's table, made in a test, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from training.data.report import Report
from training.data.table import make_table
from training.data.tracks import read_tracks


def write_table_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def make_rows(source: Path, **options: object) -> tuple[list[dict[str, object]], Report]:
    options = {"check_files": False, "validation_share": 0.0, "test_share": 0.0, **options}
    report = make_table(source, source.parent / "tracks.parquet", **options)  # type: ignore[arg-type]
    return read_tracks(source.parent / "tracks.parquet").table.to_pylist(), report


def refused_rows(folder: Path) -> set[tuple[str, str]]:
    rows = pyarrow.csv.read_csv(
        folder / "tracks.parquet.refused.csv",
        convert_options=pyarrow.csv.ConvertOptions(column_types={"subject": pa.string()}),
    ).to_pylist()
    return {(row["reason"], row["subject"]) for row in rows}
