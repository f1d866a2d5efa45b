"""Labelled files that nobody analysed yet: into the tables, as what is there was analysed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collection.options import AnalysisOptions, Shares
from ..collection.outcomes import RunReport
from ..collection.progress import make_reporter
from ..collection.runner import CollectionRun, threads_of_model
from ..collection.scan import scan
from ..collection.table_sink import TableSink
from ..errors import InvalidArgumentError
from ..files import sha256_of
from ..model import Model
from ..patchout import Patchout
from ..results.parquet import vectors_of

if TYPE_CHECKING:
    from ..results.opened import Results


def options_of(told: dict[str, Any]) -> AnalysisOptions:
    """Give the options that tables tell, as `AnalysisOptions.as_json` gave them."""
    options = dict(told)
    patchout = options.get("patchout", "F0T0")
    if isinstance(patchout, dict):
        options["patchout"] = Patchout(tuple(patchout["rows"]), patchout["stride"])
    if "tokens" in options:
        options["tokens"] = tuple(options["tokens"])
    return AnalysisOptions.of(options.pop("output"), **options)


def model_of(results: Results) -> str:
    """Give the path of the model that made the results.

    Raises
    ------
    InvalidArgumentError
        Its file is gone, or another one now.
    """
    told = results.info["model"]
    path = Path(told["path"])
    if not path.is_file() or sha256_of(path) != told["sha256"]:
        raise InvalidArgumentError(
            f"model '{told['name']}' (sha256 {told['sha256'][:12]}), which made "
            f"{results.folder}, is not at {path} any more; wanted: --model with its file"
        )
    return str(path)


def analyse(
    paths: Sequence[str],
    folder: Path,
    model: Model,
    options: AnalysisOptions,
    results: Results | None,
    *,
    quiet: bool,
) -> RunReport:
    """Analyse files into tables of results.

    Parameters
    ----------
    paths : sequence of str
        The files.
    folder : pathlib.Path
        Of the results.
    model, options
        What analyses them, and how; the same as what made `results`.
    results : Results or None
        What is in the folder.
    quiet : bool
        Say failures only.

    Returns
    -------
    RunReport

    Raises
    ------
    InvalidArgumentError
        What is in the folder was computed otherwise.
    """
    kept = "float32"
    if results is not None:
        kept = vectors_of({"tracks": results.tracks.schema}).embeddings_type
    shares = Shares.of(None, 0)
    found = scan(paths)
    return CollectionRun(
        model,
        options,
        TableSink(folder, embeddings=kept),
        workers=shares.workers,
        threads=shares.threads,
        reporter=make_reporter(quiet),
        resume=results is not None,
    ).run(found)


def model_threads(files: int) -> int:
    """Tell with how many threads a model is to be opened for so many files."""
    return threads_of_model(files, Shares.of(None, 0).threads)


def place_of_file(path: str, base: Path) -> str:
    """Give where a labelled file would be, absolute."""
    for spelled in (path, path.replace("\\", "/")):
        there = os.path.abspath(os.path.join(base, spelled))
        if os.path.isfile(there):
            return there
    return os.path.abspath(os.path.join(base, path))
