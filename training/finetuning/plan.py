"""The experiment of a fine-tuning: from the start, the data, and a file of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from essentia_maest.making.metadata import segment_seconds
from essentia_maest.making.weights import HEAD_DIM, PATCH_SIZE, PATCH_STRIDE
from training.config import Experiment
from training.errors import CheckpointError, ConfigError
from training.model.pretrained import read_pretrained
from training.run.config_file import parse_experiment

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "finetune.yaml"
_BATCH = 16
_LEAST_DRAWS = 256
"""Tracks of an epoch at least: a small set is heard several times between validations."""
_FREQUENCY_ROWS = 3
_PEAK, _PEAK_WIDTH = 1e-3, 128
"""The largest learning rate, and the width that it was tried with; wider networks take less, in
proportion (Yang et al., *Tensor Programs V*, 2022)."""


@dataclass(frozen=True)
class Shape:
    """The network in a checkpoint.

    Parameters
    ----------
    dim, heads, depth : int
    columns : int
        Of its patch grid.
    """

    dim: int
    heads: int
    depth: int
    columns: int

    @property
    def seconds(self) -> float:
        """Length of a segment."""
        return segment_seconds(PATCH_SIZE + PATCH_STRIDE * (self.columns - 1))


def shape_of(start: Path) -> Shape:
    """Read the size of a MAEST off a checkpoint, or a model that ships or was fetched.

    Raises
    ------
    CheckpointError
        It cannot be used, or is none.
    """
    pretrained = read_pretrained(start)
    arrays = pretrained.arrays
    try:
        dim = arrays["cls_token"].shape[-1]
        columns = arrays["time_new_pos_embed"].shape[3]
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"{start}: no MAEST ({error!r}); a DeiT or PaSST is trained on with `fit`"
        ) from None
    numbers = [int(name.split(".")[1]) for name in arrays if name.startswith("blocks.")]
    return Shape(dim, pretrained.heads or dim // HEAD_DIM, 1 + max(numbers, default=-1), columns)


def plan_finetuning(
    start: Path,
    dataset: Path,
    run: Path,
    *,
    tracks: int,
    config: Path = CONFIG,
    overrides: Sequence[str] = (),
) -> Experiment:
    """Put the experiment together.

    Parameters
    ----------
    start : Path
        The checkpoint, or the name of a model.
    dataset, run : Path
        The data set, and the run's folder.
    tracks : int
        Training tracks.
    config : Path
        YAML file with some values of an experiment. They count before those of
        `training/configs/finetune.yaml`, and these before what follows from start and data (the
        network's size, patchout of half of the columns, the lower half of the blocks frozen, the
        batch, the draws of an epoch, the learning rate).
    overrides : sequence of str
        As on the command line; they count most.

    Raises
    ------
    ConfigError
        A value is unknown or wrong.
    CheckpointError
        The start cannot be used.
    """
    shape = shape_of(start)
    batch = max(1, min(_BATCH, tracks))
    derived = {
        "model.dim": shape.dim,
        "model.heads": shape.heads,
        "model.seconds": shape.seconds,
        "model.patchout.frequency": _FREQUENCY_ROWS,
        "model.patchout.time": shape.columns // 2,
        "recipe.batch": batch,
        "recipe.micro_batch": batch,
        "recipe.layers.frozen_blocks": shape.depth // 2,
        "recipe.sampling.tracks": max(_LEAST_DRAWS, tracks),
        "recipe.schedule.peak": float(f"{_PEAK * _PEAK_WIDTH / shape.dim:.2g}"),
    }
    fixed = {
        "model.depth": shape.depth,
        "model.head": "embedding",
        "data.dataset": dataset,
        "run.folder": run,
        "initialisation.source": "maest",
        "initialisation.checkpoint": start,
    }
    arguments = [
        *(f"--{key}={value}" for key, value in derived.items()),
        f"--config={CONFIG}",
        *([] if config == CONFIG else [f"--config={config}"]),
        *overrides,
        *(f"--{key}={value}" for key, value in fixed.items()),
    ]
    return parse_experiment(arguments, str(config))


def depth_of(experiment: Experiment) -> int:
    """Give the blocks of a fine-tuning's network."""
    assert experiment.model.depth is not None
    return experiment.model.depth


def check_block(experiment: Experiment, block: int | None) -> None:
    """Check that a start has a block.

    Raises
    ------
    ConfigError
        It has not.
    """
    depth = depth_of(experiment)
    if block is not None and not 1 <= block <= depth:
        raise ConfigError(f"--block {block}: the start has blocks 1 to {depth}")
