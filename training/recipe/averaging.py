"""The mean of the weights along the training: SWA (Izmailov et al., arXiv:1803.05407)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

if TYPE_CHECKING:
    from training.config import AveragingConfig


def models_due(epochs_done: int, averaging: AveragingConfig) -> int:
    """Count the models in the mean after a number of epochs (paper: every 5 from 50)."""
    if averaging.start is None or epochs_done < averaging.start:
        return 0
    return (epochs_done - averaging.start) // averaging.every + 1


class WeightAverage:
    """The mean of a network's weights at chosen epochs.

    The second set of weights takes memory from the first of those epochs on, not before.

    Parameters
    ----------
    network : nn.Module
        The one that is trained.
    averaging : AveragingConfig
    """

    def __init__(self, network: nn.Module, averaging: AveragingConfig) -> None:
        self._network = network
        self._averaging = averaging
        self._mean: AveragedModel | None = None

    @property
    def models(self) -> int:
        """How many sets of weights the mean is of."""
        return 0 if self._mean is None else int(self._mean.n_averaged)

    @property
    def network(self) -> nn.Module | None:
        """The network with the mean weights; None before the first."""
        return None if self._mean is None else self._mean.module

    def update(self, epochs_done: int) -> bool:
        """Take the present weights in, if their turn has come and they are not in it yet.

        Returns
        -------
        bool
            Whether they were taken in.
        """
        if self.models >= models_due(epochs_done, self._averaging):
            return False
        if self._mean is None:
            self._mean = AveragedModel(self._network)
        self._mean.update_parameters(self._network)
        return True

    def load(self, state: Mapping[str, Tensor], models: int) -> None:
        """Take the mean of `models` sets of weights over from a checkpoint."""
        self._mean = AveragedModel(self._network)
        self._mean.module.load_state_dict(state)
        self._mean.n_averaged.fill_(models)

    def measure_statistics(self, mels: Iterable[Tensor]) -> None:
        """Measure batch normalisation anew for the mean weights: they never saw a batch.

        Parameters
        ----------
        mels : iterable of Tensor
            Batches [batch, bands, frames] of training inputs, on the network's device.
        """
        if self._mean is not None:
            update_bn(mels, self._mean.module)


def has_batch_norm(network: nn.Module) -> bool:
    """Say whether a network carries statistics of its batches."""
    return any(
        isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules()
    )
