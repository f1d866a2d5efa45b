"""Hours and dollars for a million tracks, and for a hundred million, by what was measured here.

`python -m lab.cluster_costs MUSIC...` analyses audio files with each patchout as `maest analyze`
does (of folders, at most `--files`), and counts CPU time, bytes read and bytes written for each
minute of audio. What the process that gives tracks out and writes tables has to do for each, its
CPU time in a run whose workers (on a Ray cluster of this machine) answer without computing, limits
how many cores one run can keep busy; several runs, each with a part of the list, do the rest.
Nothing here ran on many machines: it is multiplication, and every factor is printed.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import essentia_maest as maest
from essentia_maest.cluster import ray_cluster
from essentia_maest.cluster.ray_cluster import joined
from essentia_maest.cluster.ray_engine import RayEngine
from essentia_maest.cluster.worker import Told, TrackWorker
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.progress import SilentReporter
from essentia_maest.collection.runner import CollectionRun
from essentia_maest.collection.scan import Scan, Track, scan
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.machine import machine

from .made_up_results import MadeUp
from .run_costs import cpu_seconds

PATCHOUTS = ("F0T0", "F3T2", "F3T5")
COUNTS = (1_000_000, 100_000_000)


@dataclass(frozen=True)
class Constants:
    """What was measured.

    Attributes
    ----------
    cpu : float
        Seconds for each minute of audio, decoding and model.
    read, written : float
        Bytes for each minute.
    """

    cpu: float
    read: float
    written: float


def measured(model: maest.Model, found: Scan, patchout: str, folder: Path) -> Constants:
    """Analyse tracks, and tell what that took."""
    before = sum(cpu_seconds())
    report = CollectionRun(
        model,
        AnalysisOptions.of(patchout=patchout),
        TableSink(folder / patchout, embeddings="float16"),
        workers=2,
        threads=2,
        reporter=SilentReporter(),
    ).run(found)
    taken = sum(cpu_seconds()) - before
    minutes = report.audio_seconds / 60
    written = sum(path.stat().st_size for path in (folder / patchout).rglob("*.parquet"))
    read = sum(os.stat(track.path).st_size for track in found.tracks)
    return Constants(taken / minutes, read / minutes, written / minutes)


class Answering(TrackWorker):
    """A worker that has results at once."""

    _made_up: MadeUp | None = None

    def analyse(self, track: Track) -> Told:
        """Give results without looking at the track."""
        assert self._tracks is not None
        assert self._asked is not None
        assert self._asked.describing is not None
        options = self._asked.options
        if self._made_up is None:
            self._made_up = MadeUp(self._tracks.model, options)
        analysed = self._made_up.analysed(track)
        return Told(self._asked.describing(analysed, self._made_up.model, options), [])


def parent_seconds(model: maest.Model, folder: Path, tracks: int) -> float:
    """Tell the CPU time of the process that gives tracks out and writes tables, for each track."""
    music = folder / "tracks"
    music.mkdir()
    for number in range(tracks):
        (music / f"{number}.flac").touch()
    options = AnalysisOptions.of(patchout="F3T5")

    def taken(some: Scan, out: Path) -> float:
        before = cpu_seconds()[0]
        report = CollectionRun(
            model,
            options,
            TableSink(out, embeddings="float16"),
            workers=1,
            reporter=SilentReporter(),
            make_engine=lambda *how: RayEngine(model, options, *how, workers=1),
        ).run(some)
        if report.analyzed != len(some.tracks):
            raise RuntimeError(f"{report.analyzed} of {len(some.tracks)} tracks came back")
        return cpu_seconds()[0] - before

    with mock.patch.object(ray_cluster, "TrackWorker", Answering), joined("local"):
        found = scan([music])
        few = Scan(found.tracks[: tracks // 4])
        # What begins and ends a run is in both, and in neither's difference.
        first = taken(few, folder / "few")
        return (taken(found, folder / "all") - first) / (tracks - len(few.tracks))


def cost_row(
    name: str, constants: Constants, parent: float, tracks: int, asked: argparse.Namespace
) -> str:
    """Multiply: a row of the table."""
    minutes = tracks * asked.minutes
    core_hours = minutes * constants.cpu / 3600 * asked.slower
    most = constants.cpu * asked.slower * asked.minutes / parent
    runs = -(-asked.cores // max(1, int(most)))
    return (
        f"| {tracks:,} | {name} | {core_hours:,.0f} | {core_hours / asked.cores:,.1f} "
        f"| {runs} of {min(asked.cores, int(most)):,} cores | {core_hours * asked.price:,.0f} "
        f"| {minutes * constants.read / 1e12:,.1f} | {minutes * constants.written / 1e12:,.2f} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, multiply, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", nargs="+", help="audio files and folders")
    parser.add_argument("--files", type=int, default=40, help="of them, at most, spread evenly")
    parser.add_argument("--minutes", type=float, default=4.0, help="of a track")
    parser.add_argument("--cores", type=int, default=1000, help="CPUs that are rented")
    parser.add_argument("--price", type=float, default=0.04, help="dollars for a CPU's hour")
    parser.add_argument(
        "--slower", type=float, default=1.0, help="CPU time there, as a multiple of this machine's"
    )
    parser.add_argument(
        "--answered", type=int, default=1200, help="tracks by which the parent is measured"
    )
    asked = parser.parse_args(arguments)
    found = scan(asked.music)
    found.tracks = found.tracks[:: max(1, -(-len(found.tracks) // asked.files))]
    model = maest.Model("default", num_threads=1)
    print(f"{machine()}\n")
    print(f"{len(found.tracks)} files, model {model.name}, embeddings float16:\n")
    print("| patchout | CPU s a minute of audio | MB read | MB written |\n|-|-|-|-|")
    every = []
    with tempfile.TemporaryDirectory() as folder:
        for patchout in PATCHOUTS:
            constants = measured(model, found, patchout, Path(folder))
            print(
                f"| {patchout} | {constants.cpu:.3f} | {constants.read / 1e6:.2f} "
                f"| {constants.written / 1e6:.4f} |",
                flush=True,
            )
            every.append((patchout, constants))
        parent = parent_seconds(model, Path(folder), asked.answered)
    print(
        f"\nThe process that writes: {parent * 1e3:.2f} ms of its CPU for a track of 24 segments."
    )
    print(
        f"\nTracks of {asked.minutes:g} minutes, {asked.cores:,} CPUs at ${asked.price:g} an hour "
        f"each, {asked.slower:g} times the CPU time:\n"
    )
    names = ("tracks", "patchout", "CPU hours", "hours", "runs side by side", "$", "TB read")
    print(f"| {' | '.join(names)} | TB written |")
    print("|-|-|-|-|-|-|-|-|")
    for count in COUNTS:
        for patchout, constants in every:
            print(cost_row(patchout, constants, parent, count, asked))


if __name__ == "__main__":
    main()
