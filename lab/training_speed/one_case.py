"""One case of `lab.training_speed.marks`, in a process of its own: JSON in, JSON out.

Cases share neither compilations, nor memory on the GPU, nor what one of them breaks.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from lab.training_speed.steps import (
    COLUMNS_DROPPED,
    ROWS_DROPPED,
    Case,
    make_step,
    matrix_products,
    matrix_rate,
    wait_for,
)
from lab.training_speed.training_data_scale import table_of
from training.config import (
    AveragingConfig,
    DataConfig,
    Experiment,
    ModelConfig,
    PatchoutConfig,
    RecipeConfig,
    RunConfig,
    SamplingConfig,
)
from training.data.index import finish_dataset
from training.data.outcomes import Spectrogram, read_outcomes, written_shard
from training.data.tracks import write_tracks
from training.run.fit import fit
from training.run.logs import STEPS, read_rows

_TOGETHER = {"cuda": 5, "cpu": 1}
"""Steps after which a GPU is waited for."""
_SHARD_TRACKS = 256
_VALIDATED = 8
_NAMES = {torch.float32: "32-true", torch.bfloat16: "bf16-mixed"}


def measure_step(case: Case, rounds: int) -> dict[str, Any]:
    """Time steps alone, on one batch that is there already."""
    step, together = make_step(case), _TOGETHER[case.device]

    def several() -> float:
        began = time.perf_counter()
        for _ in range(together):
            step()
        wait_for(case.device)
        return (time.perf_counter() - began) / together

    compiling = several() * together
    several()
    if case.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = [several() for _ in range(rounds)]
    rate = matrix_rate(case.device, case.precision)
    return {
        "best": min(seconds),
        "median": median(seconds),
        "first": compiling,
        "share": matrix_products(case) / min(seconds) / rate,
        "memory": torch.cuda.max_memory_allocated() / 1e9 if case.device == "cuda" else None,
    }


def measure_fit(case: Case, steps: int, workers: int) -> dict[str, Any]:
    """Time a whole `fit`: reading, sampling, mixup, masks, logs; of its second epoch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tracks = max(case.tracks * 4, 256)
        _write_dataset(folder / "set", tracks, case.frames)
        experiment = Experiment(
            DataConfig(folder / "set", workers=workers),
            RunConfig(
                folder / "run",
                precision=_NAMES[case.precision],  # type: ignore[arg-type]
                accelerator=case.device,  # type: ignore[arg-type]
                compile=case.peer != "eager",
                validate_every=2,
                log_every=max(1, steps // 4),
            ),
            ModelConfig(
                size=case.size,
                seconds=case.seconds,
                patchout=PatchoutConfig(ROWS_DROPPED, COLUMNS_DROPPED[case.seconds]),
                narrow_stream=case.peer == "narrow",
            ),
            recipe=RecipeConfig(
                epochs=2,
                batch=case.tracks,
                micro_batch=case.tracks,
                sampling=SamplingConfig(tracks=steps * case.tracks, replacement=True),
                averaging=AveragingConfig(start=None),
            ),
        )
        fit(experiment)
        rows = [row for row in read_rows(folder / "run" / STEPS) if row["epoch"] == 2]
    rates = [row["tracks_per_second"] for row in rows]
    best, middle = (case.tracks / rate for rate in (max(rates), median(rates)))
    rate = matrix_rate(case.device, case.precision)
    return {
        "best": best,
        "median": middle,
        "share": matrix_products(case) / best / rate,
        "memory": torch.cuda.max_memory_allocated() / 1e9 if case.device == "cuda" else None,
    }


def _write_dataset(folder: Path, tracks: int, frames: int) -> None:
    """Write noise, as spectrograms of which a segment takes two thirds."""
    table = table_of(tracks, folder)
    write_tracks(table, folder / "tracks.parquet")
    names = table.table["id"].to_pylist()
    stored = frames * 3 // 2
    rng = np.random.default_rng(0)
    kinds = [Spectrogram.of(rng.normal(2, 1, (stored, 96)).astype(np.float16)) for _ in range(8)]
    starts = range(0, tracks, _SHARD_TRACKS)
    for number, start in enumerate(starts):
        with written_shard(folder, number) as shard:
            for at, name in enumerate(names[start : start + _SHARD_TRACKS]):
                shard.append(name, kinds[at % len(kinds)])
    found = [
        read_outcomes(folder, number, min(_SHARD_TRACKS, tracks - start))
        for number, start in enumerate(starts)
    ]
    finish_dataset(
        folder,
        table,
        (one for one in found if one is not None),
        shard_tracks=_SHARD_TRACKS,
        seconds=stored / 62.5,
        shortest_seconds=1.0,
    )


def main() -> None:
    """Measure what the argument says, and print it as a line of JSON."""
    asked = json.loads(sys.argv[1])
    case = Case(**{**asked["case"], "precision": getattr(torch, asked["case"]["precision"])})
    if asked["kind"] == "fit":
        found = measure_fit(case, asked["steps"], asked["workers"])
    else:
        found = measure_step(case, asked["rounds"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
