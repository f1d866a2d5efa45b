"""Binary cross-entropy over the classes that are known."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def known_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Average the binary cross-entropy over all known targets of a batch.

    Parameters
    ----------
    logits : Tensor
        [batch, classes] float.
    targets : Tensor
        [batch, classes] float, 0 to 1; NaN where it is not known whether a track has the class.

    Returns
    -------
    Tensor
        [] float; 0 (with gradients of 0) where nothing is known.
    """
    known = ~targets.isnan()
    losses = binary_cross_entropy_with_logits(
        logits.float(), torch.where(known, targets, 0.0), reduction="none"
    )
    # Not losses[known]: a shape that hangs on the data would make a GPU wait for the CPU.
    return (losses * known).sum() / known.sum().clamp(min=1)


def taught_cross_entropy(
    logits: Tensor, targets: Tensor, teacher_logits: Tensor, teacher_targets: Tensor
) -> Tensor:
    """Average the losses of the class token and of the distillation token (paper, footnote 5)."""
    own = known_cross_entropy(logits, targets)
    taught = known_cross_entropy(teacher_logits, teacher_targets)
    return (own + taught) / 2.0
