"""Reading segments at random from a data set, against one `.npy` file per track as in MAEST's code.

Entries with workers include the hand-over to the training process. `extra_info` has tracks/s; the
files are in the page cache, so the disk is not measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from spectrogram_fixtures import make_tracks, write_store
from training.data.segments import TrainingSegments
from training.data.store import SpectrogramStore

TRACKS = 512
STORED_FRAMES = 1876
BATCH = 16
READ = 256


class NumpyFiles(Dataset[dict[str, Any]]):
    """A random segment of whole float16 `.npy` files, normalised in NumPy."""

    def __init__(
        self, folder: Path, order: NDArray[np.int64], frames: int, store: SpectrogramStore
    ) -> None:
        self.folder, self.order, self.frames = folder, order, frames
        self.mean, self.divisor = np.float32(store.mean), np.float32(2 * store.std)
        self.targets = {int(i): store.targets(int(i)) for i in order}

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        track = int(self.order[position])
        mel = np.load(self.folder / f"{track}.npy")
        start = np.random.default_rng([0, position]).integers(len(mel) - self.frames + 1)
        mel = mel[start : start + self.frames].T.astype(np.float32)
        mel = (mel - self.mean) / self.divisor
        return {"mel": mel, "targets": self.targets[track], "track": track}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SpectrogramStore:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("training data")
    tracks = make_tracks(tracks=TRACKS, classes=48, seed=0)
    store: SpectrogramStore = write_store(folder / "set", tracks, frames=STORED_FRAMES)
    for track in range(len(store)):
        np.save(folder / f"{track}.npy", store.read(track))
    return store


def read_all(loader: DataLoader[dict[str, Any]]) -> int:
    return sum(len(batch["track"]) for batch in loader)


@pytest.mark.parametrize("frames", [626, 1876])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("peer", ["npy_files", "ours"])
def test_reading(
    benchmark: Any, store: SpectrogramStore, peer: str, workers: int, frames: int
) -> None:
    benchmark.group = f"random segments of {frames} frames, {workers} workers"
    order = np.random.default_rng(0).permutation(len(store))[:READ]
    segments: Dataset[dict[str, Any]]
    if peer == "ours":
        segments = TrainingSegments(
            store, order, segment_frames=frames, seed=0, epoch=0, augment=None
        )
    else:
        segments = NumpyFiles(store.folder.parent, order, frames, store)
    # Workers stay between rounds, as they do for a whole epoch.
    loader = DataLoader(
        segments, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0
    )
    count = benchmark.pedantic(read_all, (loader,), rounds=5, warmup_rounds=1)
    assert count == READ
    benchmark.extra_info["tracks_per_second"] = READ / benchmark.stats.stats.min


@pytest.mark.parametrize("frames", [626, 1876])
def test_item(benchmark: Any, store: SpectrogramStore, frames: int) -> None:
    """One segment in the training process: microseconds."""
    benchmark.group = "one segment"
    order = np.random.default_rng(0).permutation(len(store))
    segments = TrainingSegments(store, order, segment_frames=frames, seed=0, epoch=0, augment=None)
    positions = iter(np.resize(np.arange(len(order)), 10**6).tolist())
    item = benchmark.pedantic(
        lambda: segments[next(positions)], rounds=300, iterations=1, warmup_rounds=20
    )
    assert item["mel"].shape == (96, frames)
