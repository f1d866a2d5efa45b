"""`downstream figure3`: what patchout costs and gives (Figure 3 of the paper)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

import essentia_maest as maest
from essentia_maest.commands.benchmark import PATCHOUTS
from essentia_maest.files import sha256_of
from training.downstream.baseline import BaselineSystem
from training.downstream.embeddings import TOKENS, Wanted
from training.downstream.evaluation import Data, Options, Page, percent, write_page
from training.downstream.extraction import extract
from training.downstream.probing import Task, task_of
from training.downstream.published import TABLE_5
from training.downstream.speed import Analysis, measure_speed
from training.downstream.speed_picture import Point, draw_points
from training.downstream.systems import EMBEDDING, Audio
from training.recipe.bootstrap import Interval

_NONE: Mapping[str, Path] = MappingProxyType({})


def draw_speeds(
    tracks: Path,
    model: Path,
    output: Path,
    *,
    baselines: Mapping[str, Path] = _NONE,
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
    numbers for this figure, but those of its Table 5 for EffNet-B0.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``).
    model : path
        Model file.
    output : path
        Folder for the results.
    baselines : mapping of str to path
        Name -> what `export` made of a baseline's checkpoint, or what `baselines` wrote. Of one
        that was not trained, speed is shown, and the paper's mAP where it has one of that name on
        the same data set and split.
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
        name: partial(BaselineSystem, Path(path), name, frames) for name, path in baselines.items()
    }
    made = {name: make() for name, make in networks.items()}
    analyses: dict[str, Analysis] = {
        **{name: partial(_embed, opened, block, name) for name in patchouts},
        **{name: system.analyze for name, system in made.items()},
    }
    speeds = measure_speed(analyses, _spread(data, timed_tracks), rounds=rounds)
    size = model.stat().st_size / (1 if opened.precision == "int8" else 4)
    points, judged = [], {}
    for name in patchouts:
        kept = chosen.embeddings(data, Wanted(model, (block,), name), output)
        task = data.task(kept, [(block, TOKENS)])
        judged[name] = chosen.judge(task)
        score = judged[name].overall.mean_average_precision
        points.append(Point(name, speeds[name].analysis / 60, score, size))
    lost = {name: chosen.gain(task, judged[patchouts[0]], one) for name, one in judged.items()}
    for name, system in made.items():
        point = Point(name, speeds[name].analysis / 60, None, system.parameters, baseline=True)
        if system.trained:
            key = f"{name}, {sha256_of(Path(baselines[name]))}, {frames} frames, half-overlapped"
            of_baseline = _baseline_task(data, networks[name], key, chosen, output)
            score = chosen.judge(of_baseline).overall.mean_average_precision
            point = replace(point, score=score)
        elif data.published:
            found = TABLE_5.get(name, {}).get(data.facts.dataset)
            point = replace(point, published=found and found[1])
        points.append(point)
    draw_points(points, output / "figure3.png")
    rows_shown = [
        {
            "": point.name,
            "minutes of audio a second": f"{point.throughput:.2f}",
            f"times {patchouts[0]}": f"{point.throughput / points[0].throughput:.2f}",
            "mAP": _cell(point),
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
        **({"baselines": f"float32 by ONNX Runtime, {frames} frames at once"} if made else {}),
    }
    extra = {
        "points": [
            {
                "name": p.name,
                "throughput": p.throughput,
                "mAP": p.score and tuple(p.score),
                "mAP in the paper": p.published,
                "mAP lost": tuple(lost[p.name]) if p.name in lost else None,
            }
            for p in points
        ]
    }
    title = "mAP in percent against throughput, by patchout (Figure 3)"
    return write_page(
        output, Page("figure3", title, rows_shown, about, extra, _told(points, lost), picture=True)
    )


def _cell(point: Point) -> str:
    if point.score is not None:
        return percent(point.score)
    if point.published is not None:
        return f"{point.published:.1f} in the paper"
    return "not trained"


def _baseline_task(
    data: Data,
    make: Callable[[], BaselineSystem],
    key: str,
    options: Options,
    output: Path,
) -> Task:
    rows = np.arange(len(data.tracks))
    features = extract(
        make, key, data.tracks, rows, options.kept(output), workers=options.processes
    )
    return task_of(data.tracks, features[EMBEDDING], rows, data.families)


def _embed(model: maest.Model, block: int, patchout: str, audio: Audio) -> object:
    return model.embed(audio, block=block, patchout=patchout)


def _spread(data: Data, count: int) -> list[Path]:
    """Choose audio files from all over the test split."""
    table = data.tracks.table
    tested = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    chosen = np.unique(tested[np.linspace(0, len(tested) - 1, count).round().astype(int)])
    return [data.tracks.folder / name for name in table["path"].take(chosen).to_pylist()]


def _told(points: Sequence[Point], lost: Mapping[str, Interval]) -> str:
    """Say in words what each is for its speed, beside the first."""
    first = points[0]
    sentences = []
    for point in points[1:]:
        times = f"{point.name} is {point.throughput / first.throughput:.1f} times as fast"
        if point.name not in lost:
            sentences.append(f"{times}.")
            continue
        less, low, high = (100 * one for one in lost[point.name])
        known = "" if low > 0 or high < 0 else ", which is not told apart from none"
        way = "lower"
        if less < 0:
            way, less, low, high = "higher", -less, -high, -low
        sentences.append(
            f"{times}, its mAP {way} by {less:.1f} points ({low:.1f} to {high:.1f}{known})."
        )
    return (
        f"Beside {first.name}, with 95 % intervals of the differences on the same draws: "
        f"{' '.join(sentences)}"
        if sentences
        else ""
    )
