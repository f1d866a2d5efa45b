"""What a track costs in data sets of 1,000 to 100,000 small records: it should not depend on it.

python -m lab.training_speed.training_data_scale [TRACKS ...]

The records have 32 frames, so that what is measured is the cost of a record, not of its bytes.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from training.data.index import finish_dataset
from training.data.outcomes import Outcomes, Spectrogram, read_outcomes, written_shard
from training.data.store import SpectrogramStore
from training.data.tracks import SCHEMA, Tracks, read_tracks, write_tracks

FRAMES = 32
SHARD_TRACKS = 1024
READS = 2000
COLUMNS = ("write shards", "index", "open store", "resume", "read one")


class Clock:
    """Microseconds of the parts of a run."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str, of: int) -> Iterator[None]:
        """Time a part that is done for so many tracks."""
        start = time.perf_counter()
        yield
        self.parts[part] = 1e6 * (time.perf_counter() - start) / of


def table_of(count: int, folder: Path) -> Tracks:
    rng = np.random.default_rng(0)
    names = np.array([f"Style---{number}" for number in range(400)])
    ids = [f"discogs/{i:09d}" for i in range(count)]
    columns = {
        "id": ids,
        "path": [f"{name}.mp3" for name in ids],
        "labels": [
            list(row) for row in names[rng.integers(200, size=(count, 2)) * [1, 1] + [0, 200]]
        ],
        "weights": [[1.0, 1.0]] * count,
        "families": [None] * count,
        "group": ids,
        "split": [("train", "train", "validation", "test")[i % 4] for i in range(count)],
    }
    return Tracks(pa.table(columns, schema=SCHEMA), tuple(names), folder)


def measure(count: int, folder: Path) -> dict[str, float]:
    """Write, index, open and read a data set; microseconds per track of each."""
    clock = Clock()
    write_tracks(table_of(count, folder), folder / "tracks.parquet")
    tracks = read_tracks(folder / "tracks.parquet")
    rng = np.random.default_rng(0)
    mels = rng.normal(2, 1, (64, FRAMES, 96)).astype(np.float16)
    starts = range(0, count, SHARD_TRACKS)
    with clock("write shards", count):
        for number, start in enumerate(starts):
            names = tracks.table["id"].slice(start, SHARD_TRACKS).to_pylist()
            with written_shard(folder, number) as shard:
                for i, name in enumerate(names):
                    shard.append(name, Spectrogram.of(mels[i % 64]))

    def outcomes() -> Iterator[Outcomes]:
        for number, start in enumerate(starts):
            outcome = read_outcomes(folder, number, min(SHARD_TRACKS, count - start))
            assert outcome is not None
            yield outcome

    with clock("resume", count):
        assert sum(1 for _ in outcomes()) == len(starts)
    with clock("index", count):
        finish_dataset(
            folder, tracks, outcomes(),
            shard_tracks=SHARD_TRACKS, seconds=30.0, shortest_seconds=20.0,
        )  # fmt: skip
    with clock("open store", count):
        store = SpectrogramStore(folder)
    order = rng.integers(len(store), size=READS)
    for i in order:
        store.read(int(i))  # opens the shards, as the first batches of an epoch do
    passes = []
    for _ in range(5):
        with clock("read one", READS):
            for i in order:
                store.read(int(i), 8, 16)
        passes.append(clock.parts["read one"])
    clock.parts["read one"] = min(passes)
    return clock.parts


def main() -> None:
    """Print a Markdown table."""
    print(
        "| tracks | " + " | ".join(f"{name}, us a track" for name in COLUMNS) + " | peak RSS MB |"
    )
    print("|-|" + "-|" * (len(COLUMNS) + 1))
    for count in [int(text) for text in sys.argv[1:]] or [1_000, 10_000, 100_000]:
        with tempfile.TemporaryDirectory() as name:
            parts = measure(count, Path(name))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        row = " | ".join(f"{parts[column]:.1f}" for column in COLUMNS)
        print(f"| {count:,} | {row} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
