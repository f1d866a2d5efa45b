"""Heads on tables of results: their predictions of every track, without analysing it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..collection.describe import strongest
from ..errors import InvalidArgumentError
from ..files import sha256_of
from ..head import Head
from ..reading.head_description import MEAN_EMBEDDING, HeadEmbedding
from ..reading.plain_text import printable
from ..results.csv_files import TRACKS_SHEET, write_csv
from ..results.head_tables import HeadFolder
from ..results.one_writer import Writer, writer_of
from ..results.parquet import Rows, column_values, column_vectors, read_table
from ..results.parts import Part, PartsFolder
from ..results.path_text import path_text
from .examples import Array

if TYPE_CHECKING:
    from arro3.core import Table

    from ..collection.options import AnalysisOptions
    from ..model import Model


def open_heads(paths: Sequence[str], activation: Any = None) -> list[Head]:
    """Open heads whose predictions go into tables, each under the name of its file.

    Parameters
    ----------
    paths : sequence of str
        Their files.
    activation : str, optional
        See `Head`: for those whose output is logits.

    Returns
    -------
    list of Head

    Raises
    ------
    InvalidArgumentError, ModelError
        See `Head`; two have one name.
    """
    heads: dict[str, Head] = {}
    for path in paths:
        head = Head(path, activation=activation)
        earlier = heads.setdefault(head.path.stem, head)
        if earlier is not head:
            raise InvalidArgumentError(
                f"{earlier.path} and {head.path} have one name, under which their predictions "
                "would be kept; wanted another name for one of the files"
            )
    return list(heads.values())


def check_heads(
    heads: Sequence[Head], model: Model, options: AnalysisOptions, described: dict[str, Any]
) -> None:
    """Refuse heads that were not made for what a run is to compute.

    Parameters
    ----------
    heads : sequence of Head
    model : Model
        What analyses.
    options : AnalysisOptions
        How.
    described : dict
        The model's description, as `describe_model` gives it.

    Raises
    ------
    InvalidArgumentError
        One was not, or no embeddings are computed.
    """
    if not options.embeddings:
        raise InvalidArgumentError(
            "heads want embeddings, and only predictions are computed; wanted: --output both or "
            "embeddings"
        )
    values = model.dim * len(options.request.tokens)
    told = {"model": described, "options": options.as_json()}
    for head in heads:
        head.require_embedding(HeadEmbedding.of_results(told, values), "this run")


def apply_heads(
    heads: Sequence[Head],
    folder: Path,
    *,
    top_k: int = 5,
    tell: Callable[[str], object] = lambda text: None,
) -> None:
    """Write what heads say of every track and segment of tables of results.

    What is there of the same head and the same tracks stays as it is. A sheet of tracks, where
    there is one, is written anew.

    Parameters
    ----------
    heads : sequence of Head
    folder : pathlib.Path
        Of the results.
    top_k : int
        Labels named of each track.
    tell : callable
        Called with a line for each head.

    Raises
    ------
    InvalidArgumentError
        The tables hold no embeddings, or others than a head was made for, or some that are not
        finite, or another run is writing there. Parts that were written before stay.
    OSError
        They cannot be written.
    """
    writer = writer_of(folder)
    writer.begin()
    try:
        _apply(heads, folder, top_k, tell, writer)
    finally:
        writer.end()


def _apply(
    heads: Sequence[Head],
    folder: Path,
    top_k: int,
    tell: Callable[[str], object],
    writer: Writer,
) -> None:
    parts = PartsFolder(folder)
    for head in heads:
        name, sha256 = head.path.stem, sha256_of(head.path)
        kept, made = HeadFolder(folder, name), 0
        kept.remove_scraps()
        for part, table in parts.tables():
            if kept.is_done(part, sha256):
                continue
            _require_fits(head, part, table, folder)
            told = {
                "head": {
                    "name": name,
                    "sha256": sha256,
                    "kind": head.kind,
                    "pooling": head.pooling,
                },
                "labels": list(head.labels),
                "model": part.told.get("model"),
                "options": part.told.get("options"),
            }
            writer.require()
            kept.write(part, *_predicted(head, part, table, top_k, told))
            made += table.num_rows
        tell(f"head {name}: {made} tracks predicted, in {path_text(kept.path)}")
    if (folder / TRACKS_SHEET).exists():
        write_csv(folder)


def _require_fits(head: Head, part: Part, table: Table, folder: Path) -> None:
    if "embedding" not in table.column_names:
        raise InvalidArgumentError(
            f"{path_text(folder)}: has no embeddings, which heads want; wanted: tracks analysed "
            "with --output both or embeddings"
        )
    values = table.field("embedding").type.list_size or 0
    head.require_embedding(HeadEmbedding.of_results(part.told, values), path_text(folder))


def _predicted(
    head: Head, part: Part, table: Table, top_k: int, told: dict[str, Any]
) -> tuple[Rows, Rows]:
    ids = column_values(table, "id")
    segments = read_table(part.segments)
    tracks = np.array(column_values(segments, "track"))
    embeddings = np.asarray(column_vectors(segments, "embedding"), np.float32)
    finite = np.isfinite(embeddings).all(axis=1)
    if not finite.all():
        place = column_values(table, "path")[ids.index(int(tracks[~finite][0]))]
        raise InvalidArgumentError(
            f"{printable(place)}: an embedding is not finite; wanted: the track analysed anew"
        )
    of_segments = head.predict(embeddings)
    seconds = column_values(segments, "seconds")
    if head.pooling == MEAN_EMBEDDING:
        of_tracks = head.predict(np.asarray(column_vectors(table, "embedding"), np.float32))
    else:
        of_tracks = _means(of_segments, tracks, np.array(seconds), ids)
    return (
        Rows(
            {
                "track": ids,
                "top": [
                    [{"family": None, **one} for one in strongest(row, head.labels, top_k)]
                    for row in of_tracks
                ],
            },
            {"predictions": of_tracks},
            dict(told),
        ),
        Rows(
            {
                "track": tracks.tolist(),
                "start": column_values(segments, "start"),
                "seconds": seconds,
            },
            {"predictions": of_segments},
            dict(told),
        ),
    )


def _means(values: Array, tracks: Array, seconds: Array, ids: Sequence[int]) -> Array:
    """Average segments, each weighed by what it holds of its track."""
    means = np.zeros((len(ids), values.shape[1]), np.float32)
    for row, number in enumerate(ids):
        own = tracks == number
        weights = seconds[own] if seconds[own].sum() > 0 else np.ones(own.sum())
        means[row] = np.average(values[own], axis=0, weights=weights)
    return means
