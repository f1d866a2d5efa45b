"""Heads of a run over a collection: asked for before it, applied after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..collection.describe import describe_model
from ..collection.options import FILES, AnalysisOptions
from ..collection.scan import Track
from ..collection.track_rows import names_of
from ..errors import InvalidArgumentError
from ..results.parquet import column_values
from .applying import apply_heads, check_heads, open_heads

if TYPE_CHECKING:
    from ..model import Model


class RunHeads:
    """Heads that a run is to apply; perhaps none.

    Parameters
    ----------
    paths : sequence of str
        Their files.
    activation : str, optional
        See `essentia_maest.Head`.
    kept : str
        How the run keeps results: one of `essentia_maest.collection.options.FORMATS`.

    Raises
    ------
    InvalidArgumentError, ModelError
        One cannot be used, or results are kept in no tables.
    """

    def __init__(self, paths: Sequence[str], activation: Any, kept: str) -> None:
        if paths and kept == FILES:
            raise InvalidArgumentError(
                "heads predict from tables, and format files keeps none; wanted: format parquet "
                "or csv"
            )
        if activation is not None and not paths:
            raise InvalidArgumentError("an activation is for heads, and no --head was given")
        self._heads = open_heads(paths, activation) if paths else []

    def check(self, model: Model, options: AnalysisOptions) -> None:
        """Refuse, before anything is analysed, heads that do not go with it.

        Raises
        ------
        InvalidArgumentError
            See `essentia_maest.heads.applying.check_heads`.
        """
        if self._heads:
            check_heads(self._heads, model, options, describe_model(model))

    def apply(self, folder: Path, top_k: int, tell: Callable[[str], object]) -> None:
        """Predict every track that is in the tables: see `apply_heads`."""
        from ..results.parts import PartsFolder

        if self._heads and PartsFolder(folder).files("tracks"):
            apply_heads(self._heads, folder, top_k=top_k, tell=tell)

    def lines(self, folder: Path, track: Track) -> list[str]:
        """Say what the heads say of a track, a line for each."""
        if not self._heads:
            return []
        from ..results.opened import Results

        results = Results(folder)
        place = names_of(track)
        columns = (column_values(results.tracks, name) for name in ("root", "path"))
        row = list(zip(*columns, strict=True)).index((place["root"], place["path"]))
        width = max(len(head.path.stem) for head in self._heads)
        lines = []
        for head in self._heads:
            top = column_values(results.head(head.path.stem).tracks, "top")[row]
            named = ", ".join(f"{one['label']} {one['activation']:.2f}" for one in top)
            lines.append(f"{head.path.stem:{width}}  {named}")
        return lines
