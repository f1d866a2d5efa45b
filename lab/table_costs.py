"""What tables of results cost a run: to write them, track by track, and to go on with them.

`python -m lab.table_costs` makes a folder of empty files with as many rows in tables (2304 values
of an embedding, 157 predictions, random numbers), and measures what `maest analyze --resume` does
with them before it analyses anything; besides, what a track of four minutes costs when its rows
are made and written. Files are empty, so a hash of them costs nothing: that of audio is measured
by itself.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import essentia_maest as maest
from essentia_maest.collection.analysis import Analysis
from essentia_maest.collection.describe import describe_model
from essentia_maest.collection.earlier_rows import EarlierRows
from essentia_maest.collection.messages import Facts
from essentia_maest.collection.options import AnalysisOptions
from essentia_maest.collection.scan import Track, scan
from essentia_maest.collection.sinks import Analysed, RunFacts
from essentia_maest.collection.table_sink import TableSink
from essentia_maest.collection.track_rows import place_of
from essentia_maest.machine import machine
from essentia_maest.results.audio_hash import audio_hash
from essentia_maest.results.columns import TRACKS, Vectors, is_vector
from essentia_maest.results.parquet import Rows
from essentia_maest.results.parts import PartsFolder

VECTORS = Vectors(2304, 157)
PART_TRACKS, FOLDER_FILES = 1000, 500
SEGMENTS = 24

Result = TypeVar("Result")


def facts_of_run() -> RunFacts:
    """Make what all results have in common."""
    model = maest.Model("default")
    options = AnalysisOptions()
    common = {
        "model": describe_model(model),
        "options": options.as_json(),
        "provenance": maest.provenance(model),
    }
    return RunFacts(model, options, common)


def make_files(folder: Path, count: int) -> None:
    """Make empty files."""
    for begin in range(0, count, FOLDER_FILES):
        album = folder / f"album {begin // FOLDER_FILES}"
        album.mkdir(parents=True)
        for number in range(begin, min(begin + FOLDER_FILES, count)):
            (album / f"{number:06}.mp3").touch()


def write_rows_of(tracks: Sequence[Track], parts: PartsFolder, run: RunFacts) -> None:
    """Write rows as if the tracks had been analysed, each with one segment."""
    generator = np.random.default_rng(0)
    plain = {"int64": 0, "int32": 1, "float64": 240.0, "bool": False, "text": "mp3"}
    for begin in range(0, len(tracks), PART_TRACKS):
        some = tracks[begin : begin + PART_TRACKS]
        values: dict[str, list[Any]] = {
            column.name: [None if column.gaps else plain.get(column.kind)] * len(some)
            for column in TRACKS
            if not is_vector(column)
        }
        places = [place_of(track) for track in some]
        for name in ("path", "root", "size", "mtime"):
            values[name] = [place[name] for place in places]
        values["id"] = list(range(begin, begin + len(some)))
        values["audio_hash"] = [f"{number:032x}" for number in values["id"]]
        label = {"family": "Genre", "label": "Genre---jazz", "activation": 0.5}
        values["top"] = [[label] * 5] * len(some)
        vectors = {
            "embedding": generator.standard_normal((len(some), VECTORS.embedding or 0), np.float32),
            "predictions": generator.random((len(some), VECTORS.predictions or 0), np.float32),
        }
        ones = [0.0] * len(some)
        segments = Rows(
            {"track": values["id"], "start": ones, "seconds": ones}, vectors, run.common
        )
        parts.write(Rows(values, vectors, run.common), segments, VECTORS)


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Give the seconds that work takes, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def resume_costs(count: int, folder: Path, run: RunFacts) -> str:
    """Measure what is done before anything is analysed: a row of a table."""
    music, out = folder / "music", folder / "out"
    make_files(music, count)
    write_rows_of(scan([music]).tracks, PartsFolder(out), run)
    listing, found = timed(lambda: scan([music]))
    before = _peak_mb()
    reading, earlier = timed(lambda: EarlierRows(PartsFolder(out), run, VECTORS))
    earlier.check()
    finding, known = timed(lambda: earlier.find(found.tracks))
    if any(one is None for one in known):
        raise RuntimeError("rows were not found again")
    settling, _ = timed(lambda: earlier.settle([]))
    moved = music.rename(folder / "elsewhere")
    remounted = EarlierRows(PartsFolder(out), run, VECTORS)
    remounted.find(scan([moved]).tracks)
    renewing, _ = timed(lambda: remounted.settle([]))
    return (
        f"| {count:,} | {listing:.1f} | {reading:.1f} | {finding:.1f} | {settling:.1f} "
        f"| {_peak_mb() - before:.0f} | {renewing:.1f} |"
    )


def track_costs(folder: Path, run: RunFacts, kind: str, tracks: int = 200) -> str:
    """Measure what a track of four minutes costs: a row of a table."""
    generator = np.random.default_rng(0)
    path = folder / "track.mp3"
    path.write_bytes(os.urandom(6 << 20))  # four minutes at 200 kbit/s
    track = Track(str(path), path.name, str(folder))
    labels = len(run.model.labels)
    analyses = [
        Analysis(
            {
                "embeddings": generator.standard_normal((SEGMENTS, 2304), np.float32),
                "predictions": generator.random((SEGMENTS, labels), np.float32),
            },
            np.arange(SEGMENTS, dtype=np.float64) * 10.0,
            10.0,
        )
        for _ in range(tracks)
    ]
    sink = TableSink(folder / kind, embeddings=kind)
    sink.open(run, resume=True)
    sink._vectors = Vectors(2304, labels, kind)
    hashing, hashes = timed(lambda: [audio_hash(path) for _ in range(20)])
    facts = Facts("FFmpeg", "mpeg", "mp3", 240 * 16000, None, 0.5, audio_hash=hashes[0])
    describing, rows = timed(
        lambda: [sink.describe(Analysed(track, facts, analysis, {})) for analysis in analyses]
    )

    def write() -> None:
        for row in rows:
            sink.track(row)
        sink.flush()

    writing, _ = timed(write)
    size = sum(file.stat().st_size for file in (folder / kind).rglob("*.parquet"))
    return (
        f"| {kind} | {hashing / 20 * 1e3:.1f} | {describing / tracks * 1e3:.2f} "
        f"| {writing / tracks * 1e3:.1f} | {size / tracks / 1e3:.0f} |"
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, nargs="+", default=[1000, 10_000, 100_000])
    asked = parser.parse_args(arguments)
    run = facts_of_run()
    print(f"{machine()}\n")
    print("| tracks | list, s | read, s | find, s | settle, s | memory, MB | remounted, s |")
    print("|-|-|-|-|-|-|-|")
    for count in asked.tracks:
        with tempfile.TemporaryDirectory() as folder:
            print(resume_costs(count, Path(folder), run), flush=True)
    print("\n| embeddings | hash, ms | rows, ms | write, ms | on the disk, kB |\n|-|-|-|-|-|")
    for kind in ("float32", "float16"):
        with tempfile.TemporaryDirectory() as folder:
            print(track_costs(Path(folder), run, kind), flush=True)


if __name__ == "__main__":
    main()
