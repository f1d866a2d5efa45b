"""Runs over collections, and what they wrote."""

from __future__ import annotations

import json
from pathlib import Path

from essentia_maest import Model
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.outcomes import RunReport
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.results import ResultFolder
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan


def analyze(
    model: Model, paths: list[Path], folder: Path, options: AnalysisOptions | None = None, **more
) -> RunReport:
    return CollectionRun(
        model,
        options or AnalysisOptions.of(block=1),
        ResultFolder(folder),
        **{"workers": 1, "reporter": SilentReporter(), **more},
    ).run(scan(paths))


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def result(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())
