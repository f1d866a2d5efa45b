"""What every network of the comparison is: normalised mel spectrograms in, class logits out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Predictions(NamedTuple):
    """What a network says of a batch.

    Parameters
    ----------
    logits : Tensor [batch, classes]
        Before the sigmoid.
    teacher : Tensor [batch, classes], optional
        Logits of the distillation token, which learns from a teacher: only of a separated head,
        and only in training.
    reconstruction : Tensor [], optional
        How far masked patches are from what was said of them: only of `MaskedPatches`.
    """

    logits: Tensor
    teacher: Tensor | None = None
    reconstruction: Tensor | None = None


class Network(nn.Module, ABC):
    """A classifier of normalised mel spectrograms."""

    classes: int
    """Number of classes."""

    @abstractmethod
    def forward(self, mel: Tensor, *, generator: torch.Generator | None = None) -> Predictions:
        """Classify.

        Parameters
        ----------
        mel : Tensor of floating point [batch, 96, frames]
            Normalised: (log10(1 + 10000 x) - mean) / (2 standard deviations).
        generator : torch.Generator, optional
            Of the CPU; for what is drawn in training (patchout), which needs it.

        Returns
        -------
        Predictions
        """
