"""`python -m lab formats`: the command itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions

from .decoders import DECODERS, OWN
from .measuring import make_files, measure
from .recipes import all_recipes
from .tables import details, summary


def measure_formats(
    output: Path,
    only: str | None = None,
    decoders: str | None = None,
    references: str = "ffmpeg,PyAV,program,libsndfile",
) -> Path:
    """Make files of every kind, let decoders read them one by one, and write tables.

    Measurements are kept: repeated with other decoders, only those measure.

    Parameters
    ----------
    output : path
        Folder for the files (1 GB), measurements (formats.json), tables (formats.md, and file by
        file details.md), and the reasons of encoders that refuse (not_made.json).
    only : str, optional
        A regular expression: names of the files that are measured; default: all.
    decoders : str, optional
        Names in `lab.formats.decoders.DECODERS`, with commas between; default: all. Those that
        others are compared with are always added.
    references : str
        Those that others are compared with, likewise; the first that reads a file counts.

    Returns
    -------
    path
        The tables.
    """
    recipes = [recipe for recipe in all_recipes() if re.search(only or "", recipe.name)]
    compared_with = references.split(",")
    names = list(dict.fromkeys([*(decoders.split(",") if decoders else DECODERS), *compared_with]))
    refused = make_files(recipes, output / "files")
    write_whole(output / "not_made.json", json.dumps(refused, indent=1))
    made = [recipe for recipe in recipes if recipe.name not in refused]
    kept = output / "formats.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name, records in measure(made, output / "files", names, compared_with).items():
        results.setdefault(name, {}).update(records)
    write_whole(kept, json.dumps(results, indent=1))
    everything = [recipe for recipe in all_recipes() if recipe.name in results]
    shown = [name for name in DECODERS if any(name in of_file for of_file in results.values())]
    write_whole(output / "details.md", details(everything, results, shown, shown))
    text = "\n".join(
        [
            f"Machine: {machine()}; {versions()}.\n",
            summary(everything, results, shown),
            "Files that this package does not read as others do:\n",
            details(everything, results, shown, OWN),
        ]
    )
    tables = output / "formats.md"
    write_whole(tables, text)
    return tables
