"""Batch normalisation of the mean weights, measured over training tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from training.recipe.averaging import has_batch_norm
from training.recipe.randomness import Purpose, torch_generator

from .batches import in_order, make_loader, read_batches

if TYPE_CHECKING:
    from training.config import Experiment
    from training.data.segments import TrainingSegments

    from .assembly import Parts


def measure_statistics(
    experiment: Experiment, parts: Parts, segments: TrainingSegments, epoch: int
) -> None:
    """Measure them anew, if the network has any: the mean weights never saw a batch.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts
    segments : TrainingSegments
        Of the epoch, without augmentation; the first of them are used.
    epoch : int
    """
    if not has_batch_norm(parts.network):
        return
    recipe, device = experiment.recipe, parts.fabric.device
    tracks = min(recipe.averaging.statistics_tracks, len(segments))
    # A batch of one has no variance to measure.
    batches = [batch for batch in in_order(tracks, recipe.micro_batch) if len(batch) > 1]
    # For dropout, as in a step; no step of the epoch has this number.
    generator = torch_generator(experiment.run.seed, Purpose.NETWORK, epoch, len(segments))
    torch.manual_seed(generator.initial_seed())
    loader = make_loader(segments, batches, experiment.data.workers, device)
    with read_batches(loader, device) as read:
        parts.average.measure_statistics(batch["mel"] for batch in read)
