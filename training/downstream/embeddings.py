"""Embeddings of the tracks of a table, computed by the engine and kept in tables of results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.collection.options import AnalysisOptions, Shares
from essentia_maest.collection.progress import make_reporter
from essentia_maest.collection.runner import CollectionRun, threads_of_model
from essentia_maest.collection.scan import Scan
from essentia_maest.collection.scan import Track as File
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.files import sha256_of
from essentia_maest.request import Request
from essentia_maest.results.parquet import column_values, column_vectors
from essentia_maest.results.parts import PartsFolder
from essentia_maest.results.path_text import path_text
from training.data.locking import sole_writer
from training.data.report import Report
from training.data.tracks import Tracks, read_tracks
from training.errors import DataError

TOKENS = ("cls", "dist", "avg")
"""All three are always kept: stacks of fewer are parts of what is kept."""

BLOCKS = tuple(range(5, 13))
"""Of the paper's Figure 2."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which embeddings: whatever changes a number.

    Attributes
    ----------
    model : Path
        The model file.
    blocks : tuple of int
    patchout : str
    """

    model: Path
    blocks: tuple[int, ...] = BLOCKS
    patchout: str = "F0T0"

    def request(self, model: maest.Model) -> Request:
        """Ask for segments that overlap by half, over the whole track (section 3.3)."""
        return Request(
            ("embeddings",),
            self.blocks,
            TOKENS,
            self.patchout,
            hop=model.segment_seconds / 2,
        )

    def folder(self, cache: Path, request: Request) -> Path:
        """Name the folder of the tables: for people, and by a digest of model and options."""
        told = json.dumps({"model": sha256_of(self.model), **request.as_json()}, sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        return cache / f"{self.model.stem}-{self.patchout}-{digest}"


def embed(
    tracks: Path,
    model: Path,
    cache: Path,
    *,
    blocks: Sequence[int] = BLOCKS,
    patchout: str = "F0T0",
    workers: int | None = None,
    threads: int = 0,
) -> Report:
    """Compute the embeddings of a tracks table, but for those that are there.

    Segments overlap by half; a track's embedding is their mean, each weighed by the seconds of the
    track that it holds. All blocks come from one pass. The results are tables, as `maest analyze`
    writes them, in a folder of their own for each model file and options; a killed run goes on when
    the command is repeated.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``).
    model : path
        Model file.
    cache : path
        Folder for embeddings.
    blocks : sequence of int
        Blocks, from 1; those that the model lacks are left out.
    patchout : str
        ``F3T5`` for instance.
    workers : int, optional
        Processes that decode; default: one for each CPU.
    threads : int
        Tracks computed at once; 0: one for each CPU.

    Returns
    -------
    Report
        Tracks that could not be decoded are refused: they are left out of scores.

    Raises
    ------
    DataError
        The table cannot be used, no track could be decoded, or another process fills the folder.
    essentia_maest.errors.MaestError
        The model cannot be used, or the run was stopped by the machine.
    """
    table = read_tracks(tracks)
    report = Report()
    wanted = Wanted(Path(model), tuple(blocks), patchout)
    kept = compute(table, wanted, Path(cache), workers=workers, threads=threads, report=report)
    report.count("tracks", len(table))
    report.note(f"embeddings of blocks {', '.join(map(str, kept.blocks))} are in {kept.folder}")
    return report


@dataclasses.dataclass(frozen=True)
class Kept:
    """Embeddings that are there.

    Attributes
    ----------
    folder : Path
    blocks : tuple of int
    dim : int
        Of a token.
    """

    folder: Path
    blocks: tuple[int, ...]
    dim: int

    def read(
        self, tracks: Tracks, stacks: Sequence[tuple[int, Sequence[str]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Read the embeddings of tracks.

        Parameters
        ----------
        tracks : Tracks
        stacks : sequence of (int, sequence of str)
            Block and tokens of each part of the stack, in this order.

        Returns
        -------
        values : float32 [tracks found, values]
        rows : int64 [tracks found]
            Which of the tracks.

        Raises
        ------
        DataError
            A block is not there, or none of the tracks.
        """
        columns = self._columns(stacks)
        places = {name: row for row, name in enumerate(_names(tracks))}
        rows, parts = [], []
        for _, table in PartsFolder(self.folder).tables():
            roots, paths = column_values(table, "root"), column_values(table, "path")
            found = [places.get(key, -1) for key in zip(roots, paths, strict=True)]
            here = np.flatnonzero(np.array(found, np.int64) >= 0)
            if len(here):
                rows.append(np.array(found, np.int64)[here])
                parts.append(np.asarray(column_vectors(table, "embedding"))[here][:, columns])
        if not rows:
            raise DataError(f"{self.folder}: has embeddings of none of {len(tracks)} tracks")
        order = np.argsort(np.concatenate(rows))
        return np.concatenate(parts)[order].astype(np.float32), np.concatenate(rows)[order]

    def _columns(self, stacks: Sequence[tuple[int, Sequence[str]]]) -> NDArray[np.int64]:
        wide = len(TOKENS) * self.dim
        columns = []
        for block, tokens in stacks:
            if block not in self.blocks:
                raise DataError(
                    f"{self.folder}: no block {block} found; there are "
                    f"{', '.join(map(str, self.blocks))}"
                )
            for token in tokens:
                begin = self.blocks.index(block) * wide + TOKENS.index(token) * self.dim
                columns.append(np.arange(begin, begin + self.dim))
        return np.concatenate(columns)


def compute(
    tracks: Tracks,
    wanted: Wanted,
    cache: Path,
    *,
    workers: int | None = None,
    threads: int = 0,
    report: Report | None = None,
    quiet: bool = False,
) -> Kept:
    """Compute embeddings, but for those that are there; arguments and errors as `embed`."""
    with warnings.catch_warnings():
        # an untrained network is measured on purpose
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        shares = Shares.of(workers, threads)
        model = maest.Model(wanted.model, threads_of_model(len(tracks), shares.threads))
    blocks = tuple(block for block in wanted.blocks if block <= model.depth)
    if not blocks:
        raise DataError(f"{wanted.model}: has {model.depth} blocks; wanted some of {wanted.blocks}")
    wanted = dataclasses.replace(wanted, blocks=blocks)
    request = wanted.request(model)
    model.plan(request)
    folder = wanted.folder(cache, request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with sole_writer(folder):
        run = CollectionRun(
            model,
            AnalysisOptions(request),
            TableSink(folder, segments=False),
            workers=shares.workers,
            threads=shares.threads,
            reporter=make_reporter(quiet),
            resume=True,
        )
        done = run.run(Scan(_files(tracks)))
    if done.stopped is not None:
        raise maest.StoppedEarlyError(done.stopped)
    for failure in done.failures:
        if report is not None:
            report.add("cannot be analysed", failure.path, failure.reason)
    if len(done.failures) == len(tracks):
        raise DataError(
            f"none of {len(tracks)} tracks could be analysed, for instance "
            f"{done.failures[0].path}: {done.failures[0].reason}"
        )
    return Kept(folder, blocks, model.dim)


def _files(tracks: Tracks) -> list[File]:
    paths = [str(tracks.folder / path) for path in tracks.table["path"].to_pylist()]
    ids = tracks.table["id"].to_pylist()
    return [
        File(path, identity, str(tracks.folder)) for path, identity in zip(paths, ids, strict=True)
    ]


def _names(tracks: Tracks) -> list[tuple[str, str]]:
    """Give root and path of each track, as the tables have them."""
    return [(path_text(file.root), path_text(file.relative)) for file in _files(tracks)]
