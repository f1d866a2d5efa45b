"""A small experiment that trains in seconds, and its logs without what a clock says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spectrogram_fixtures import make_store
from training.config import (
    AugmentationConfig,
    AveragingConfig,
    DataConfig,
    Experiment,
    ModelConfig,
    PatchoutConfig,
    RecipeConfig,
    RunConfig,
    SamplingConfig,
    ScheduleConfig,
)
from training.run.logs import TIMING_COLUMNS, read_rows

CLASSES = 4


def make_dataset(folder: Path, *, tracks: int = 60, families: bool = True) -> Path:
    """Half of the tracks to train, a quarter each to validate and test, of 64 to 120 frames."""
    make_store(folder, tracks=tracks, classes=CLASSES, frames=(64, 120), families=families)
    return folder


def make_experiment(dataset: Path, folder: Path, **recipe: object) -> Experiment:
    """4 epochs of steps of 2 micro-batches of 4 tracks; averaging from the second epoch."""
    values = RecipeConfig(
        epochs=4,
        batch=8,
        micro_batch=4,
        schedule=ScheduleConfig(peak=2e-3, warm_up=1, constant_until=2, fall=2, last=1e-5),
        sampling=SamplingConfig(frequency_offset=1.0),
        augmentation=AugmentationConfig(time_groups=2, time_width=4, band_groups=1, band_width=4),
        averaging=AveragingConfig(start=2, every=1, statistics_tracks=16),
    )
    return Experiment(
        data=DataConfig(dataset=dataset, workers=0),
        run=RunConfig(folder=folder, accelerator="cpu", log_every=3, evaluation_batch=5),
        model=ModelConfig(
            dim=32, heads=2, depth=2, seconds=1.0, patchout=PatchoutConfig(frequency=2, time=1)
        ),
        recipe=replace(values, **recipe),
    )


def rows_without_clock(path: Path) -> list[dict[str, str]]:
    """A log's rows as text, without the columns that time decides."""
    return [
        {name: repr(value) for name, value in row.items() if name not in TIMING_COLUMNS}
        for row in read_rows(path)
    ]
