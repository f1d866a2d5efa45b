"""`downstream figure3`: what patchout costs and gives (Figure 3 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import essentia_maest as maest
from essentia_maest.commands.benchmark import PATCHOUTS
from essentia_maest.files import sha256_of
from training.downstream.baseline import BaselineSystem
from training.downstream.bootstrap import Interval
from training.downstream.embeddings import TOKENS, Wanted
from training.downstream.evaluation import Data, Options, Page, percent, write_page
from training.downstream.extraction import extract
from training.downstream.probing import task_of
from training.downstream.speed import Analysis, measure_speed
from training.downstream.systems import EMBEDDING, Audio
from training.pictures import new_picture, write_picture


@dataclass(frozen=True)
class _Point:
    """A place in the picture.

    Attributes
    ----------
    name : str
    throughput : float
        Minutes of audio analysed in a second, by one thread; decoding is not counted.
    score : Interval or None
        mAP on the test split; None for a network that was not trained.
    size : float
        Parameters, roughly.
    baseline : bool
    """

    name: str
    throughput: float
    score: Interval | None
    size: float
    baseline: bool


def draw_speeds(
    tracks: Path,
    model: Path,
    output: Path,
    *,
    baselines: Mapping[str, Path] | None = None,
    baseline_seconds: float | None = None,
    block: int = 7,
    patchouts: Sequence[str] = PATCHOUTS,
    timed_tracks: int = 4,
    rounds: int = 3,
    **options: Any,
) -> Path:
    """Draw mAP against throughput under several patchouts, the paper's Figure 3.

    Speed is that of samples to embedding with one thread, all systems in turns on the same tracks.
    Writes ``figure3.csv``, ``figure3.md``, ``figure3.json`` and ``figure3.png``. The paper gives no
    numbers for this figure.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``).
    model : path
        Model file.
    output : path
        Folder for the results.
    baselines : mapping of str to path, optional
        Name -> what `export` made of a baseline's checkpoint. Of one that was not trained, speed
        alone is shown.
    baseline_seconds : float, optional
        Length of the baselines' segments; default: the model's.
    block : int
    patchouts : sequence of str
    timed_tracks : int
        For the speed.
    rounds : int
        The same.
    **options
        See `Options`.

    Returns
    -------
    Path
        ``figure3.md``.

    Raises
    ------
    ConfigError
        A perceptron cannot be set so.
    DataError
        The table, the embeddings or a baseline cannot be used.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    chosen, output, model = Options(**options), Path(output), Path(model)
    data = chosen.open(tracks)
    opened = maest.Model(model, num_threads=1)
    frames = round((baseline_seconds or opened.segment_seconds) * 62.5)
    networks = {
        name: partial(BaselineSystem, Path(path), name, frames)
        for name, path in (baselines or {}).items()
    }
    analyses: dict[str, Analysis] = {
        name: partial(_embed, opened, block, name) for name in patchouts
    }
    made = {name: make() for name, make in networks.items()}
    analyses |= {name: system.features for name, system in made.items()}
    speeds = measure_speed(analyses, _spread(data, timed_tracks), rounds=rounds)
    points = []
    for name in patchouts:
        kept = chosen.embeddings(data, Wanted(model, (block,), name), output)
        task = data.task(kept, [(block, TOKENS)])
        overall = chosen.judge(task).overall
        points.append(
            _Point(
                name,
                speeds[name].analysis / 60,
                overall.mean_average_precision,
                model.stat().st_size / (1 if opened.precision == "int8" else 4),
                baseline=False,
            )
        )
    for name, system in made.items():
        score = None
        if system.trained:
            rows = np.arange(len(data.tracks))
            path = Path((baselines or {})[name])
            key = f"{name}, {sha256_of(path)}, {frames} frames, half-overlapped"
            features = extract(
                networks[name],
                key,
                data.tracks,
                rows,
                chosen.kept(output),
                workers=chosen.processes,
            )
            of_baseline = task_of(data.tracks, features[EMBEDDING], rows, data.families)
            score = chosen.judge(of_baseline).overall.mean_average_precision
        points.append(
            _Point(name, speeds[name].analysis / 60, score, system.parameters, baseline=True)
        )
    _draw(points, output)
    rows_shown = [
        {
            "": point.name,
            "minutes of audio a second": f"{point.throughput:.2f}",
            f"times {patchouts[0]}": f"{point.throughput / points[0].throughput:.2f}",
            "mAP": "not trained" if point.score is None else percent(point.score),
        }
        for point in points
    ]
    about = {
        "data": data.described(),
        "tracks with embeddings and labels": task.described(),
        "model": f"{model.name}, sha256 {sha256_of(model)}, {opened.precision}; block {block}",
        "probe": chosen.described(),
        "throughput": "samples to embedding, one thread, segments end to end, the fastest of "
        f"{rounds} rounds on {timed_tracks} tracks, in turns",
    }
    extra = {
        "points": [
            {"name": p.name, "throughput": p.throughput, "mAP": p.score and tuple(p.score)}
            for p in points
        ]
    }
    title = "mAP in percent against throughput, by patchout (Figure 3)"
    return write_page(
        output, Page("figure3", title, rows_shown, about, extra, _told(points), picture=True)
    )


def _embed(model: maest.Model, block: int, patchout: str, audio: Audio) -> object:
    return model.embed(audio, block=block, patchout=patchout)


def _spread(data: Data, count: int) -> list[Path]:
    """Choose audio files from all over the test split."""
    table = data.tracks.table
    tested = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    chosen = np.unique(tested[np.linspace(0, len(tested) - 1, count).round().astype(int)])
    return [data.tracks.folder / name for name in table["path"].take(chosen).to_pylist()]


def _told(points: Sequence[_Point]) -> str:
    """Say in words what the fastest and the slowest give."""
    scored = [point for point in points if point.score is not None and not point.baseline]
    first = scored[0]
    sentences = []
    for point in scored[1:]:
        if point.score is None or first.score is None:
            continue
        lost = 100 * (first.score.value - point.score.value)
        inside = "inside" if point.score.value >= first.score.low else "below"
        sentences.append(
            f"{point.name} is {point.throughput / first.throughput:.1f} times as fast as "
            f"{first.name}, its mAP {abs(lost):.1f} points {'lower' if lost >= 0 else 'higher'} "
            f"({inside} {first.name}'s interval)."
        )
    return " ".join(sentences)


def _draw(points: Sequence[_Point], output: Path) -> None:
    picture = new_picture(7, 4.5)
    axis = picture.subplots()
    for baseline, colour, label in ((False, "tab:blue", "MAEST"), (True, "tab:orange", "baseline")):
        shown = [point for point in points if point.baseline == baseline]
        scored = [point for point in shown if point.score is not None]
        if scored:
            axis.errorbar(
                [point.throughput for point in scored],
                [100 * point.score.value for point in scored if point.score],
                [
                    [
                        100 * (point.score.value - point.score.low)
                        for point in scored
                        if point.score
                    ],
                    [
                        100 * (point.score.high - point.score.value)
                        for point in scored
                        if point.score
                    ],
                ],
                fmt="-" if not baseline else " ",
                color=colour,
                elinewidth=0.5,
                capsize=2,
            )
            sizes = [20 * math.sqrt(point.size / 1e6) for point in scored]
            axis.scatter(
                [point.throughput for point in scored],
                [100 * point.score.value for point in scored if point.score],
                sizes,
                color=colour,
                label=label,
            )
        for point in scored:
            if point.score is not None:
                place = (point.throughput, 100 * point.score.value)
                axis.annotate(point.name, place, (5, 5), textcoords="offset points", fontsize=8)
        for point in shown:
            if point.score is None:
                axis.axvline(point.throughput, color=colour, linestyle=":", linewidth=1)
                axis.annotate(
                    f"{point.name}, untrained",
                    (point.throughput, 0.02),
                    xycoords=("data", "axes fraction"),
                    rotation=90,
                    fontsize=8,
                )
    axis.set_xlabel("minutes of audio analysed in a second, one thread")
    axis.set_ylabel("mAP, percent")
    axis.set_xlim(left=0)
    axis.grid(alpha=0.3)
    axis.legend(title="area: square root of parameters")
    write_picture(picture, output / "figure3.png")
