"""`python -m lab quality`: what a model is worth, measured on held-out music."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from essentia_maest import Model
from essentia_maest.commands.benchmark import PATCHOUTS
from essentia_maest.files import sha256_of, write_whole
from essentia_maest.machine import machine, versions
from lab.corpus.packages import default_cache
from lab.quality.figure import draw_patchouts
from lab.quality.held_out import HeldOut, read_held_out
from lab.quality.listing import listing, spread
from lab.quality.measuring import Measuring
from lab.quality.plan import plan
from lab.quality.tables import write_results
from training.data.tracks import SPLITS, Tracks
from training.downstream.extraction import extract
from training.downstream.speed import Analysis, measure_speed
from training.downstream.systems import ACTIVATIONS, MaestSystem, System

_TIMED_TRACKS = 6


def quality(
    model: Path,
    tracks: Path,
    output: Path,
    *,
    quantized: Path | None = None,
    cache: Path | None = None,
    work: Path | None = None,
    patchouts: Sequence[str] = PATCHOUTS,
    probe_patchouts: Sequence[str] = PATCHOUTS,
    draws: int = 1000,
    workers: int = 2,
    seed: int = 0,
    speed_rounds: int = 5,
    listed: int = 20,
    references: bool = True,
) -> Path:
    """Measure what a model is worth on held-out music.

    Its predictions, and linear probes on its embeddings, are compared with true labels (mAP,
    ROC-AUC), its tags on produced music with those of the teacher; the teacher's embeddings, mel
    statistics and an untrained network of the same shape are what it is compared with. Intervals
    are 95 % bootstrap ones over groups of tracks. Writes ``quality.json``, ``quality.md`` and
    ``quality.png`` anew after each system that they show, and ``tracks.md`` after the first.
    Features are kept: a killed run is repeated to go on.

    Parameters
    ----------
    model : path
        The model file, fp32.
    tracks : path
        Tracks table (Parquet): training tracks for probes, the test split for all scores.
    output : path
        Folder for the results.
    quantized : path, optional
        The same model in int8; it is measured first.
    cache : path, optional
        Where packages are kept, for the teacher; default: ``~/.cache/essentia-maest/packages``.
    work : path, optional
        Folder for features; default: ``features`` in the output folder.
    patchouts : sequence of str
        To measure besides F0T0.
    probe_patchouts : sequence of str
        Those of them that probes are learnt for.
    draws : int
        Of the bootstrap.
    workers : int
        Processes that compute features.
    seed : int
        Of the bootstrap.
    speed_rounds : int
        Times that each track is analysed to measure the speed.
    listed : int
        Produced test tracks in ``tracks.md``, each with what is said of it.
    references : bool
        False leaves out what the model is compared with: the teacher's embeddings, mel statistics
        and the untrained network.

    Returns
    -------
    Path
        The tables, ``quality.md``.

    Raises
    ------
    DataError
        The tracks cannot be used, or the model does not fit them.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    held_out = read_held_out(tracks)
    cache = default_cache() if cache is None else cache
    work = output / "features" if work is None else work
    for folder in (output, work):
        folder.mkdir(parents=True, exist_ok=True)
    models = [path for path in (quantized, model) if path is not None]
    subjects = plan(
        models,
        cache=cache if references else None,
        work=work,
        patchouts=patchouts,
        probe_patchouts=probe_patchouts,
    )
    systems: dict[str, System] = {subject.name: subject.make() for subject in subjects}
    of_model = [system for system in systems.values() if isinstance(system, MaestSystem)]
    held_out.columns_of(of_model[0].classes)  # refuses a model for other music at once
    about = {
        "model": ", ".join(_describe(path) for path in models),
        "tracks": _count(held_out),
        "machine": machine(),
        "versions": versions(),
    }
    speeds = measure_speed(
        {name: _analysis(system) for name, system in systems.items()},
        _spread(held_out, _TIMED_TRACKS),
        rounds=speed_rounds,
    )
    about["times real time, one thread, decoding included"] = ", ".join(
        f"{name} {speed.with_decoding:.0f}" for name, speed in speeds.items()
    )
    measuring = Measuring(
        held_out,
        of_model[0].classes,
        tokens={system.name: system.tokens for system in of_model},
        speeds=speeds,
        draws=draws,
        seed=seed,
        about=about,
    )
    del systems, of_model  # their memory, before the workers want theirs
    for number, subject in enumerate(subjects):
        rows = measuring.rows_wanted(subject)
        features = extract(
            subject.make,
            subject.key,
            held_out.tracks,
            rows,
            work,
            workers=workers,
            title=f"{subject.name} ({number + 1} of {len(subjects)})",
        )
        measuring.add(subject, features)
        write_results(measuring.results, output)
        if number == 0:
            text = list_tracks(held_out, rows, measuring.ordered(features[ACTIVATIONS]), listed)
            write_whole(output / "tracks.md", text)
        if subject.precision:
            draw_patchouts(measuring.results.patchout, output / "quality.png")
    return output / "quality.md"


def _analysis(system: System) -> Analysis:
    """Give what is timed: a model's one pass, not also that for the last block's features."""
    return system.analyze if isinstance(system, MaestSystem) else system.features


def _describe(path: Path) -> str:
    model = Model(path, num_threads=1)
    return f"{model.name} in {model.precision} (sha256 {sha256_of(path)})"


def _count(held_out: HeldOut) -> str:
    kinds = {"with true labels": held_out.labelled, "that the teacher heard": held_out.heard}
    return "; ".join(
        f"{name}: "
        + ", ".join(f"{len(held_out.of_split(rows, split)):,} {split}" for split in SPLITS)
        for name, rows in kinds.items()
    )


def _spread(held_out: HeldOut, count: int) -> list[Path]:
    """Choose audio files from all over the test split."""
    rows = held_out.tested
    chosen = np.unique(rows[np.linspace(0, len(rows) - 1, count).round().astype(int)])
    names = held_out.tracks.table["path"].take(chosen).to_pylist()
    return [held_out.tracks.folder / name for name in names]


def list_tracks(
    held_out: HeldOut,
    rows: NDArray[np.int64],
    activations: NDArray[np.float32],
    count: int,
) -> str:
    """List what is said of some produced pieces of the test split, of as many artists as may be.

    Parameters
    ----------
    held_out : HeldOut
    rows : int [tracks]
        Rows of the table.
    activations : float32 [tracks, classes]
        Of these rows, in the order of the table's classes.
    count : int

    Returns
    -------
    str
        A Markdown table; of labelled tracks where the teacher heard none.
    """
    heard = held_out.of_split(held_out.heard, "test")
    pool = heard if len(heard) else held_out.tested
    tracks = held_out.tracks
    names = tracks.table["id"].take(pool).to_pylist()
    chosen = np.sort(pool[spread(names, held_out.groups[pool].tolist(), count)])
    subset = Tracks(tracks.table.take(rows), tracks.classes, tracks.folder)
    wanted = tracks.table["id"].take(chosen).to_pylist()
    return listing(subset, activations, tracks.classes, wanted=wanted)
