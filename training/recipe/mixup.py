"""Mixup (Zhang et al., arXiv:1710.09412): each track of a batch blended with another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
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
        # Not waited for: a few bytes, which the driver takes at once.
        share = self.share.to(values.device, non_blocking=True)
        partner = self.partner.to(values.device, non_blocking=True)
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        return values * share + values[partner] * (1.0 - share)


def annotation_kinds(targets: Tensor) -> NDArray[np.int64]:
    """Tell tracks apart by which classes are known of them.

    Parameters
    ----------
    targets : Tensor
        [batch, classes] float, NaN where unknown.

    Returns
    -------
    ndarray
        [batch] int64, equal for tracks of which the same classes are known.
    """
    unknown = targets.isnan().cpu().numpy()
    return np.unique(unknown, axis=0, return_inverse=True)[1].reshape(-1)


def draw_mix(
    batch: int,
    alpha: float,
    generator: np.random.Generator,
    kinds: NDArray[np.integer] | None = None,
) -> Mix:
    """Draw partners and shares, each track its own.

    Parameters
    ----------
    batch : int
    alpha : float
        Both parameters of the Beta distribution of the share (paper: 0.3), more than 0.
    generator : numpy.random.Generator
    kinds : ndarray, optional
        [batch] what `annotation_kinds` gives: partners are of one kind. A blend of tracks with
        different annotations would have few known targets, or none, and teach nothing.

    Returns
    -------
    Mix
        Shares are at least one half: the larger part is oneself, as in the reference.
    """
    share = generator.beta(alpha, alpha, batch)
    share = np.maximum(share, 1.0 - share).astype(np.float32)
    shuffled = generator.permutation(batch)
    if kinds is None:
        partner = shuffled
    else:
        # both in the order of kinds: each track stands across from one of its own
        partner = np.empty_like(shuffled)
        partner[np.argsort(kinds, kind="stable")] = shuffled[
            np.argsort(kinds[shuffled], kind="stable")
        ]
    return Mix(torch.from_numpy(partner), torch.from_numpy(share))
