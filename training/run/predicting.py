"""Predictions of networks over a split, on one process or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.segments import EvaluationSegments

from .batches import in_order, make_loader, read_batches, share_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from training.data.store import SpectrogramStore

Windows = Literal["centre", "all"]
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Reading:
    """How spectrograms are read for evaluation.

    Parameters
    ----------
    segment_frames : int
    batch : int
        Segments of a forward pass.
    workers : int
    windows : {"centre", "all"}
        The central segment of each track, or the mean activations of all its segments.
    """

    segment_frames: int
    batch: int
    workers: int
    windows: Windows = "centre"


@torch.no_grad()
def predict_tracks(
    fabric: Fabric,
    networks: Sequence[nn.Module],
    store: SpectrogramStore,
    indices: NDArray[np.int64],
    reading: Reading,
    *,
    between: Callable[[], None] | None = None,
) -> tuple[list[Tensor], Tensor]:
    """Predict tracks with networks that all see the same input.

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
        For each network [tracks, classes], on the CPU, of all processes.
    targets : Tensor
        [tracks, classes] float32, NaN where unknown.
    """
    shares = [share_of(indices, rank, fabric.world_size) for rank in range(fabric.world_size)]
    # Some come twice, so that all processes have as many tracks.
    tracks = [np.unique(share) for share in shares]
    segments = [
        EvaluationSegments(store, own, reading.segment_frames, reading.windows) for own in tracks
    ]
    batches_of = [in_order(len(every), reading.batch) for every in segments]
    rank = fabric.global_rank
    loader = make_loader(segments[rank], batches_of[rank], reading.workers, fabric.device)
    modes = [network.training for network in networks]
    for network in networks:
        network.eval()
    logits: list[list[Tensor]] = [[] for _ in networks]
    targets: list[Tensor] = []
    heard: list[Tensor] = []
    try:
        with read_batches(loader, fabric.device) as batches:
            for batch in batches:
                if between is not None:
                    between()
                targets.append(batch["targets"].cpu())
                heard.append(batch["track"].cpu())
                for found, network in zip(logits, networks, strict=True):
                    with fabric.autocast():
                        predictions = network(batch["mel"])
                    found.append(predictions.logits.float().cpu())
    finally:
        for network, training in zip(networks, modes, strict=True):
            network.train(training)
    if between is not None:
        # All processes ask equally often, for they wait for each other there.
        for _ in range(max(map(len, batches_of)) - len(batches_of[rank])):
            between()
    # Back to the share, in its order; of targets, those of each track's first segment.
    places = torch.from_numpy(np.searchsorted(tracks[rank], torch.cat(heard).numpy()))
    order = np.searchsorted(tracks[rank], shares[rank])
    first = np.searchsorted(places.numpy(), np.arange(len(tracks[rank])))
    return (
        [
            _gather(fabric, _of_tracks(torch.cat(found), places)[order], len(indices))
            for found in logits
        ],
        _gather(fabric, torch.cat(targets)[first][order], len(indices)),
    )


def _of_tracks(logits: Tensor, places: Tensor) -> Tensor:
    """Give the logits of the mean activations of each track's segments."""
    counts = torch.bincount(places)
    if bool((counts == 1).all()):
        return logits
    total = torch.zeros((len(counts), logits.shape[1]), dtype=torch.float64)
    total.index_add_(0, places, logits.double().sigmoid())
    return torch.logit(total / counts[:, None], _SMALLEST)


def _gather(fabric: Fabric, values: Tensor, tracks: int) -> Tensor:
    """Put the shares of `share_of` together again, without what was repeated."""
    if fabric.world_size == 1:
        return values
    # [processes, share, classes]; process r has tracks r, r + processes, ...
    shares: Any = fabric.all_gather(values)
    joined: Tensor = shares.cpu().transpose(0, 1).reshape(-1, values.shape[-1])
    return joined[:tracks]
