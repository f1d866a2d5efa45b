"""A trained network over the tracks of a data set, all windows of each averaged."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from essentia_maest import _core
from training.config import Experiment
from training.data.segments import EvaluationSegments
from training.data.store import SpectrogramStore
from training.errors import CheckpointError, DataError
from training.model.network import Network
from training.model.sizes import input_frames

from .assembly import make_network
from .batches import in_order, make_loader, read_batches
from .checkpoint import Checkpoint, load_checkpoint
from .config_file import experiment_from
from .predicting import Windows


@dataclass(frozen=True)
class Computing:
    """On what, and in which portions, a trained network is run.

    Parameters
    ----------
    batch : int
        Segments of a forward pass.
    workers : int
        Processes that read; by default one for each CPU.
    accelerator : {"auto", "cpu", "cuda"}
    precision : {"32-true", "bf16-mixed", "16-mixed"}
    """

    batch: int = 20
    workers: int = field(default_factory=_core.available_cpus)
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"


DEFAULT_COMPUTING = Computing()


@dataclass(frozen=True)
class Trained:
    """A network out of a checkpoint.

    Attributes
    ----------
    network : Network
        In evaluation mode, on the CPU.
    experiment : Experiment
    checkpoint : Checkpoint
    """

    network: Network
    experiment: Experiment
    checkpoint: Checkpoint


def load_trained(path: Path, *, averaged: bool) -> Trained:
    """Load a network from a run's checkpoint.

    Parameters
    ----------
    path : Path
    averaged : bool
        Its mean weights rather than the last.

    Raises
    ------
    CheckpointError
        The checkpoint cannot be used, or has no mean weights.
    """
    checkpoint = load_checkpoint(path)
    weights = checkpoint.averaged if averaged else checkpoint.network
    if weights is None:
        raise CheckpointError(
            f"{path}: has no averaged weights yet; --averaged=false takes the last ones"
        )
    experiment = experiment_from(checkpoint.config, str(path))
    network = make_network(experiment, len(checkpoint.classes))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from None
    return Trained(network.eval(), experiment, checkpoint)


def open_dataset(trained: Trained, dataset: Path | None) -> SpectrogramStore:
    """Open a data set, by default the one that was trained on, and check its classes.

    Raises
    ------
    DataError
        It cannot be used, or its classes are others.
    """
    store = SpectrogramStore(Path(trained.checkpoint.dataset) if dataset is None else dataset)
    if list(store.classes) != trained.checkpoint.classes:
        raise DataError(
            f"{store.folder}: its {len(store.classes)} classes are not the "
            f"{len(trained.checkpoint.classes)} of the checkpoint, in the same order"
        )
    return store


class Predictor:
    """Runs a trained network over tracks.

    Parameters
    ----------
    trained : Trained
    store : SpectrogramStore
    computing : Computing
    """

    def __init__(self, trained: Trained, store: SpectrogramStore, computing: Computing) -> None:
        self._fabric = Fabric(
            accelerator=computing.accelerator, devices=1, precision=computing.precision
        )
        self._network = trained.network.to(self._fabric.device)
        self._frames = input_frames(trained.experiment.model)
        self._store = store
        self._computing = computing
        # Segments come normalised by their own data set; the network wants its own numbers.
        self._scale = store.std / trained.checkpoint.std
        self._shift = (store.mean - trained.checkpoint.mean) / (2.0 * trained.checkpoint.std)

    @torch.no_grad()
    def activations(self, indices: NDArray[np.int64], windows: Windows = "all") -> Tensor:
        """Predict tracks.

        Parameters
        ----------
        indices : ndarray
            [tracks] of the data set, ascending.
        windows : {"centre", "all"}
            The central segment, or the mean over all segments of each track.

        Returns
        -------
        Tensor
            [tracks, classes] float64, 0 to 1, on the CPU.
        """
        segments = EvaluationSegments(self._store, indices, self._frames, windows)
        loader = make_loader(
            segments,
            in_order(len(segments), self._computing.batch),
            self._computing.workers,
            self._fabric.device,
        )
        total = torch.zeros((len(indices), len(self._store.classes)), dtype=torch.float64)
        count = torch.zeros(len(indices), dtype=torch.float64)
        with read_batches(loader, self._fabric.device) as batches:
            for batch in batches:
                with self._fabric.autocast():
                    logits = self._network(batch["mel"] * self._scale + self._shift).logits
                place = torch.from_numpy(np.searchsorted(indices, batch["track"].cpu().numpy()))
                total.index_add_(0, place, logits.cpu().double().sigmoid())
                count.index_add_(0, place, torch.ones(len(place), dtype=torch.float64))
        return total / count[:, None]
