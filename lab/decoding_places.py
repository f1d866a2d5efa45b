"""Where files are decoded and computed, and what it costs: processes, or threads of one.

`python -m lab.decoding_places AUDIO...` analyses the files in turns: whole, in processes that have
the model each; decoded in processes that share memory with the one that computes (a run does one of
these, see `essentia_maest.collection.local_engine`); in threads that decode and compute by
themselves (`Model.analyze_file`); and with the model alone, on samples that were decoded before.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.collection.analysing import Analysing
from essentia_maest.collection.options import AnalysisOptions, Shares
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track
from essentia_maest.collection.whole_tracks import WholeTracks
from essentia_maest.collection.worker_processes import time_limit
from essentia_maest.front_end import SAMPLE_RATE
from essentia_maest.machine import machine, versions


@dataclass(frozen=True)
class Setting:
    """What is analysed, and how.

    Attributes
    ----------
    files : list of Path
        The music.
    model : maest.Model
        Opened with one thread.
    patchout : str
        See `maest.Request`.
    at_once : int
        Files that are worked on at the same time.
    """

    files: list[Path]
    model: maest.Model
    patchout: str
    at_once: int


@dataclass(frozen=True)
class Cost:
    """What a run took, in seconds: of the clock, and of all CPUs for this process and its own."""

    clock: float
    cpu: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 2: bad usage, or a file could not be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.decoding_places", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("audio", type=Path, nargs="+", help="music")
    parser.add_argument("--model", default="default", help="model file or name (%(default)s)")
    parser.add_argument("--patchout", default="F3T5", help="default: %(default)s")
    parser.add_argument("--at-once", type=int, default=2, help="files at a time (%(default)s)")
    parser.add_argument(
        "--times", type=int, default=1, help="each file so many times (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    chosen = parser.parse_args(arguments)
    try:
        setting = Setting(
            chosen.audio * chosen.times,
            maest.Model(chosen.model, num_threads=1),
            chosen.patchout,
            chosen.at_once,
        )
        audio = [maest.load_audio(path) for path in chosen.audio] * chosen.times
    except maest.MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    minutes = sum(map(len, audio)) / SAMPLE_RATE / 60
    places: dict[str, Callable[[], None]] = {
        "whole tracks in processes": partial(_whole, setting),
        "decoded in processes, shared memory": partial(_decoded_there, setting),
        "threads of one process": partial(_in_threads, setting),
        "model alone, nothing decoded": partial(_decoded_before, setting, audio),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in places}
    for _ in range(chosen.rounds + 1):
        for name, work in places.items():
            costs[name].append(cost_of(work))
    print(f"Machine: {machine()}; {versions()}. Model {setting.model.name}, {chosen.patchout}, ")
    print(
        f"{len(setting.files)} files, {minutes:.1f} minutes, {chosen.at_once} at once, medians of"
    )
    print(f"{chosen.rounds} rounds after one that does not count.\n")
    print("| | minutes of audio a second | CPU ms a minute of audio |")
    print("|-|-|-|")
    for name, all_rounds in costs.items():
        counted = all_rounds[1:]
        speed = median(minutes / cost.clock for cost in counted)
        cpu = median(1000 * cost.cpu / minutes for cost in counted)
        print(f"| {name} | {speed:.2f} | {cpu:.1f} |")
    return 0


def cost_of(work: Callable[[], None]) -> Cost:
    """Tell what a piece of work takes, with the processes that it starts and ends."""

    def cpu() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(one.ru_utime + one.ru_stime for one in used)

    clock, before = time.perf_counter(), cpu()
    work()
    return Cost(time.perf_counter() - clock, cpu() - before)


def _whole(setting: Setting) -> None:
    options = AnalysisOptions.of(patchout=setting.patchout)
    engine: WholeTracks[bool] = WholeTracks(
        setting.model,
        options,
        setting.at_once,
        _done,
        open_audio=maest.AudioFile,
        limit=time_limit,
        longest=None,
        hashed=False,
    )
    _require_all(engine.run(_tracks(setting)))
    if engine.left:
        raise RuntimeError(f"{len(engine.left)} tracks were not analysed")


def _decoded_there(setting: Setting) -> None:
    engine = Analysing(
        setting.model,
        AnalysisOptions.of(patchout=setting.patchout),
        Shares(setting.at_once, setting.at_once),
        _done,
        open_audio=maest.AudioFile,
        long_seconds=float("inf"),
    )
    _require_all(engine.run(_tracks(setting)))


def _tracks(setting: Setting) -> list[Track]:
    return [Track(str(path.absolute()), path.name) for path in setting.files]


def _done(analysed: object) -> bool:
    """Keep nothing of a track but that it is done."""
    return True


def _require_all(outcomes: Iterable[tuple[Track, bool | Failure]]) -> None:
    for track, outcome in outcomes:
        if isinstance(outcome, Failure):
            raise RuntimeError(f"{track.path}: {outcome.reason}")


def _in_threads(setting: Setting) -> None:
    analyze = partial(setting.model.analyze_file, patchout=setting.patchout)
    with ThreadPoolExecutor(setting.at_once) as threads:
        for _ in threads.map(analyze, setting.files):
            pass


def _decoded_before(setting: Setting, audio: Sequence[NDArray[np.float32]]) -> None:
    analyze = partial(setting.model.analyze, patchout=setting.patchout)
    with ThreadPoolExecutor(setting.at_once) as threads:
        for _ in threads.map(analyze, audio):
            pass


if __name__ == "__main__":
    raise SystemExit(main())
