"""What a run costs besides decoding and the model, by how many tracks there are.

`python -m lab.run_costs` makes short files (`--tracks` of each: 100, 1,000 ... half a second of
noise), and runs `maest analyze` over them inside this process, with a small network of random
weights, so that what goes with a track is seen and not the model; then it goes on with what is
done. The parent's time is its CPU time without what the engine computes in it, which needs none of
Python's lock; so it is at least as much as the lock is held. Then what the parent does for tracks
of four minutes whose results are there at once (`--answered` of each), so that only it is measured,
by the width of the network; and tracks of four minutes that are analysed (`--long`): how much
faster two workers and two threads are than one of each, and what decoding and the model alone take,
one track after the other, in two processes at once, as CPUs share caches and memory. What begins
and ends a run is taken out of what is said of each track: by the difference to a quarter of them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import soundfile

import essentia_maest as maest
from essentia_maest.collection import whole_tracks
from essentia_maest.collection.analysis import TrackAnalysis
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.machine import machine
from essentia_maest.making.conversion import convert_random

from .made_up_results import AnsweringWorker

FOLDER_FILES = 500
SHORT_SECONDS, LONG_SECONDS = 0.5, 240.0


@dataclass
class Cost:
    """Of a run: seconds of the clock, of the parent's CPU without the engine, of all CPUs."""

    clock: float
    parent: float
    all: float
    tracks: int


class EngineTime:
    """CPU time that threads of this process spend in the engine."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what this thread does meanwhile."""
        started = time.thread_time()
        try:
            yield
        finally:
            with self._lock:
                self.seconds += time.thread_time() - started


ENGINE = EngineTime()


def count_engine() -> None:
    """Have all analyses counted from now on."""
    push, finish = TrackAnalysis.push, TrackAnalysis.finish

    def counted_push(self: TrackAnalysis, samples: Any) -> None:
        with ENGINE.counted():
            push(self, samples)

    def counted_finish(self: TrackAnalysis) -> Any:
        with ENGINE.counted():
            return finish(self)

    TrackAnalysis.push = counted_push  # type: ignore[method-assign]
    TrackAnalysis.finish = counted_finish  # type: ignore[method-assign]


def make_files(folder: Path, count: int, seconds: float) -> None:
    """Make FLAC files of noise, each other noise."""
    generator = np.random.default_rng(0)
    for number in range(count):
        album = folder / f"album {number // FOLDER_FILES}"
        album.mkdir(parents=True, exist_ok=True)
        noise = generator.standard_normal(round(seconds * 16000)).astype(np.float32) * 0.1
        soundfile.write(album / f"{number:06}.flac", noise, 16000)


def run(
    model: maest.Model,
    music: Path,
    out: Path,
    *,
    at_once: int = 2,
    kind: str = "float32",
    resume: bool = False,
    most: int | None = None,
) -> Cost:
    """Analyse a folder as `maest analyze` does, and say what it cost."""
    options = AnalysisOptions.of(patchout="F3T5" if model.depth == 12 else "F0T0")
    started, before, engine = time.perf_counter(), cpu_seconds(), ENGINE.seconds
    found = scan([music])
    found.tracks = found.tracks[:most]
    report = CollectionRun(
        model,
        options,
        TableSink(out, embeddings=kind),
        workers=at_once,
        threads=at_once,
        reporter=SilentReporter(),
        resume=resume,
    ).run(found)
    if report.analyzed + report.resumed != len(found.tracks) or report.analyzed * resume:
        raise RuntimeError(f"{report.analyzed} of {len(found.tracks)} tracks were analysed")
    clock, after = time.perf_counter() - started, cpu_seconds()
    parent, children = after[0] - before[0], after[1] - before[1]
    return Cost(clock, parent - (ENGINE.seconds - engine), parent + children, len(found.tracks))


def cpu_seconds() -> tuple[float, float]:
    """Give the CPU time so far: of this process, and of its children that have ended."""
    times = os.times()
    return times.user + times.system, times.children_user + times.children_system


def alone(paths: Sequence[str]) -> float:
    """Decode and compute one file after the other; give the seconds of CPU."""
    model = maest.Model("default", num_threads=1)
    request = AnalysisOptions.of(patchout="F3T5").request
    before = time.process_time()
    for path in paths:
        model.run_file(request, path)
    return time.process_time() - before


def alone_at_once(music: Path, most: int, processes: int = 2) -> float:
    """Do so in several processes, a share of the files in each; give the seconds of all."""
    paths = [track.path for track in scan([music]).tracks[:most]]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return sum(pool.map(alone, [paths[number::processes] for number in range(processes)]))


def _handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def small_model(folder: Path) -> maest.Model:
    """Make the smallest network, with segments of ten seconds and random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        return maest.Model(convert_random("tiny", folder / "tiny.onnx", seconds=10), num_threads=1)


def wide_model(folder: Path) -> maest.Model:
    """Make a network of the paper's width, with segments of ten seconds and random weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        return maest.Model(convert_random("base", folder / "base.onnx", seconds=10), num_threads=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--long", type=int, default=150, help="tracks of four minutes")
    parser.add_argument("--answered", type=int, default=4000, help="answered at once")
    parser.add_argument("--rounds", type=int, default=3, help="of one worker beside two")
    asked = parser.parse_args(arguments)
    count_engine()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        model = small_model(folder)
        print(
            "| tracks of 0.5 s | CPU ms a track | parent, ms a track | RSS, MB | handles "
            "| to go on with all done: clock, s | CPU, s |\n|-|-|-|-|-|-|-|"
        )
        for count in asked.tracks:
            music = folder / f"short {count}"
            make_files(music, count, SHORT_SECONDS)
            cost = run(model, music, folder / f"out {count}")
            rss, handles = _rss_mb(), _handles()
            again = run(model, music, folder / f"out {count}", resume=True)
            print(
                f"| {count:,} | {cost.all / count * 1e3:.2f} | {cost.parent / count * 1e3:.2f} "
                f"| {rss:.0f} | {handles} | {again.clock:.1f} | {again.all:.1f} |",
                flush=True,
            )
        music = folder / "long"
        make_files(music, 8, LONG_SECONDS)
        for number in range(8, asked.long):
            source = music / "album 0" / f"{number % 8:06}.flac"
            os.link(source, music / "album 0" / f"{number:06}.flac")
        _tell_answered(folder, asked.answered)
        default = maest.Model("default", num_threads=1)
        _tell_scaling(default, music, folder, asked.long, asked.rounds)


def _tell_answered(folder: Path, tracks: int) -> None:
    """Print what the parent does for tracks whose results are there at once."""
    music = folder / "answered"
    music.mkdir()
    for number in range(tracks):
        (music / f"{number:06}.flac").touch()
    models = [maest.Model("default", num_threads=1), wide_model(folder)]
    print("\n| 24 segments, answered at once | kept in | values each | parent, ms a track |")
    print("|-|-|-|-|")
    with mock.patch.object(whole_tracks, "WholeWorker", AnsweringWorker):
        for model in models:
            for kind in ("float32", "float16"):
                out = folder / f"answered {model.name} {kind}"
                few = run(model, music, out / "few", kind=kind, most=tracks // 4)
                cost = run(model, music, out / "all", kind=kind)
                parent = (cost.parent - few.parent) / (cost.tracks - few.tracks) * 1e3
                shapes = model.plan(AnalysisOptions.of().request).output_shapes
                values = sum(size for (size,) in shapes)
                print(f"| {model.name} | {kind} | {values:,} | {parent:.2f} |", flush=True)
                shutil.rmtree(out)


def _tell_scaling(model: maest.Model, music: Path, folder: Path, tracks: int, rounds: int) -> None:
    """Measure in turns, as other work on the machine changes, and print medians of ratios."""
    few = tracks // 4
    ones, twos, starts, bests, best_starts = [], [], [], [], []
    for number in range(rounds):
        ones.append(run(model, music, folder / f"one {number}", at_once=1))
        twos.append(run(model, music, folder / f"two {number}"))
        starts.append(run(model, music, folder / f"few {number}", most=few))
        bests.append(alone_at_once(music, tracks))
        best_starts.append(alone_at_once(music, few))
    print(f"\n| {tracks} tracks of 4 min, default model, F3T5 | clock, s | CPU, s |\n|-|-|-|")
    for name, costs in (("1 worker, 1 thread", ones), ("2 workers, 2 threads", twos)):
        clock, cpu = (median(getattr(cost, of) for cost in costs) for of in ("clock", "all"))
        print(f"| {name} | {clock:.1f} | {cpu:.1f} |")
    print(f"| 2 processes, decoding and model alone | | {median(bests):.1f} |")
    faster = median(one.clock / two.clock for one, two in zip(ones, twos, strict=True))
    whole = median(best / two.all for best, two in zip(bests, twos, strict=True))
    more = [two.all - start.all for two, start in zip(twos, starts, strict=True)]
    best_more = [best - start for best, start in zip(bests, best_starts, strict=True)]
    per_ms = (tracks - few) / 1e3
    each = median(best / cost for best, cost in zip(best_more, more, strict=True))
    print(
        f"\nMedians of {rounds} rounds. Two are {faster:.2f} times as fast as one. Decoding and "
        f"model alone are {whole:.0%} of the CPU time that the run with two takes, and, of each "
        f"track after the first {few}, {each:.0%}: "
        f"{median(best_more) / per_ms:.0f} of {median(more) / per_ms:.0f} ms."
    )


if __name__ == "__main__":
    main()
