"""Predictions of networks over a split, on one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.segments import EvaluationSegments

from .batches import in_order, make_loader, read_batches, share_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from training.data.store import SpectrogramStore


@dataclass(frozen=True)
class Reading:
    """How spectrograms are read for evaluation.

    Parameters
    ----------
    segment_frames : int
    batch : int
        Segments of a forward pass.
    workers : int
    """

    segment_frames: int
    batch: int
    workers: int


@torch.no_grad()
def predict_centres(
    fabric: Fabric,
    networks: Sequence[nn.Module],
    store: SpectrogramStore,
    indices: NDArray[np.int64],
    reading: Reading,
    *,
    between: Callable[[], None] | None = None,
) -> tuple[list[Tensor], Tensor]:
    """Predict the central segment of tracks with networks that all see the same input.

    Parameters
    ----------
    fabric : Fabric
    networks : sequence of nn.Module
        Each as `Network` is called.
    store : SpectrogramStore
    indices : ndarray
        [tracks] at least one.
    reading : Reading
    between : callable, optional
        Called before each batch; may raise to give up.

    Returns
    -------
    logits : list of Tensor
        For each network [tracks, classes] float32, on the CPU, of all processes.
    targets : Tensor
        [tracks, classes] float32, NaN where unknown.
    """
    share = share_of(indices, fabric.global_rank, fabric.world_size)
    segments = EvaluationSegments(store, share, reading.segment_frames, "centre")
    loader = make_loader(
        segments, in_order(len(share), reading.batch), reading.workers, fabric.device
    )
    modes = [network.training for network in networks]
    for network in networks:
        network.eval()
    logits: list[list[Tensor]] = [[] for _ in networks]
    targets: list[Tensor] = []
    try:
        with read_batches(loader, fabric.device) as batches:
            for batch in batches:
                if between is not None:
                    between()
                targets.append(batch["targets"].cpu())
                for found, network in zip(logits, networks, strict=True):
                    with fabric.autocast():
                        predictions = network(batch["mel"])
                    found.append(predictions.logits.float().cpu())
    finally:
        for network, training in zip(networks, modes, strict=True):
            network.train(training)
    return (
        [_gather(fabric, torch.cat(found), len(indices)) for found in logits],
        _gather(fabric, torch.cat(targets), len(indices)),
    )


def _gather(fabric: Fabric, values: Tensor, tracks: int) -> Tensor:
    """Put the shares of `share_of` together again, without what was repeated."""
    if fabric.world_size == 1:
        return values
    # [processes, share, classes]; process r has tracks r, r + processes, ...
    shares: Any = fabric.all_gather(values)
    joined: Tensor = shares.cpu().transpose(0, 1).reshape(-1, values.shape[-1])
    return joined[:tracks]
