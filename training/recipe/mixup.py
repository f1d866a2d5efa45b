"""Mixup (Zhang et al., arXiv:1710.09412): each track of a batch blended with another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Mix(NamedTuple):
    """One drawn blend of a batch.

    Attributes
    ----------
    partner : Tensor
        [batch] int64, whom each is blended with: a permutation.
    share : Tensor
        [batch] float32, what is left of oneself: 0.5 to 1.
    """

    partner: Tensor
    share: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Blend inputs [batch, ...] or targets [batch, classes].

        A target that is unknown (NaN) in either of the two is unknown in the blend: a known half
        says nothing about the other.
        """
        share = self.share.to(values.device).reshape(-1, *[1] * (values.ndim - 1))
        return values * share + values[self.partner.to(values.device)] * (1.0 - share)


def draw_mix(batch: int, alpha: float, generator: np.random.Generator) -> Mix:
    """Draw partners and shares, each track its own.

    Parameters
    ----------
    batch : int
    alpha : float
        Both parameters of the Beta distribution of the share (paper: 0.3), more than 0.
    generator : numpy.random.Generator

    Returns
    -------
    Mix
        Shares are at least one half: the larger part is oneself, as in the reference.
    """
    share = generator.beta(alpha, alpha, batch)
    share = np.maximum(share, 1.0 - share).astype(np.float32)
    partner = generator.permutation(batch)
    return Mix(torch.from_numpy(partner), torch.from_numpy(share))
