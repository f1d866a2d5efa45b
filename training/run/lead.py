"""Whether a trained epoch is better than the first weights by more than chance."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from training.recipe.bootstrap import bootstrap_weights, interval, known_mean
from training.recipe.ranking import class_scores

_log = logging.getLogger("training")
_DRAWS = 200  # a standard error to 5 %, in seconds where the split has thousands of tracks


class Lead(NamedTuple):
    """By how much validation mAP is above that of the first weights, and how sure that is."""

    value: float
    standard_error: float

    def is_more_than(self, margin: float) -> bool:
        """Say whether it is more than so many standard errors."""
        # Not where it cannot be said how sure it is: a NaN. But without a margin any lead will do.
        return self.value > (margin * self.standard_error if margin else 0.0)

    def told(self, margin: float) -> str:
        """Tell it beside so many standard errors."""
        count = "one standard error" if margin == 1.0 else f"{margin:g} standard errors"
        bar = margin * self.standard_error
        than = "more" if self.is_more_than(margin) else "no more"
        return f"by {self.value:.3f} in validation mAP, {than} than {count}, {bar:.3f}"


class FirstWeights:
    """What the first weights said of the validation split; a trained epoch must say better.

    Parameters
    ----------
    groups : ndarray [tracks], optional
        Artists, albums: what the bootstrap draws. Where there is one or none, it draws tracks.
    seed : int
        Of the bootstrap.

    Attributes
    ----------
    logits : Tensor, optional
        [tracks, classes]; None where the first weights do not compete.
    """

    def __init__(self, groups: NDArray[np.int64] | None, seed: int) -> None:
        self._groups = groups
        self._seed = seed
        self.logits: Tensor | None = None

    def lead(self, logits: Tensor, targets: Tensor) -> Lead:
        """Compare a later set of weights on the same draws of tracks.

        Parameters
        ----------
        logits : Tensor
            [tracks, classes]
        targets : Tensor
            [tracks, classes] float, 0 to 1, NaN where unknown. A soft label counts as a positive
            from one half on, as in `training.recipe.metrics.score`.
        """
        assert self.logits is not None
        known = targets.numpy()
        truth = np.where(np.isnan(known), np.nan, known >= 0.5).astype(np.float32)
        weights = bootstrap_weights(self._drawn(len(truth)), draws=_DRAWS, seed=self._seed)
        own, first = (
            class_scores(one.double().sigmoid().numpy(), truth, weights)[0]
            for one in (logits, self.logits)
        )
        found = interval(known_mean(own) - known_mean(first))
        return Lead(found.value, found.standard_error)

    def _drawn(self, tracks: int) -> NDArray[np.str_]:
        groups = self._groups
        if groups is None or len(np.unique(groups)) < 2:
            return np.arange(tracks).astype(np.str_)
        return groups.astype(np.str_)


def announce_lead(epoch: int, lead: Lead, margin: float, kept: int) -> None:
    """Tell a person by how much an epoch was better, and whose weights are kept now."""
    stays = f"epoch {kept} is" if kept else "the start is"
    _log.info("epoch %d leads the start %s: %s kept", epoch, lead.told(margin), stays)
