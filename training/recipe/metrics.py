"""How good activations are: mean average precision and ROC-AUC over classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import multilabel_auroc, multilabel_average_precision

from .loss import known_cross_entropy

_UNKNOWN = -1


@dataclass(frozen=True)
class Scores:
    """Scores of one set of weights on one split.

    Attributes
    ----------
    loss : float
        Binary cross-entropy over all known targets.
    mean_average_precision, roc_auc : float
        Means over the evaluated classes; NaN where there is none.
    average_precision : dict of str to float
        Per evaluated class.
    skipped : dict of str to str
        Classes that cannot be scored, with the reason.
    """

    loss: float
    mean_average_precision: float
    roc_auc: float
    average_precision: dict[str, float]
    skipped: dict[str, str]


def score(logits: Tensor, targets: Tensor, classes: Sequence[str]) -> Scores:
    """Score predictions against targets.

    Parameters
    ----------
    logits : Tensor
        [tracks, classes] float.
    targets : Tensor
        [tracks, classes] float, 0 to 1, NaN where unknown; such tracks do not count for that
        class. A soft label counts as a positive from one half on.
    classes : sequence of str

    Returns
    -------
    Scores

    Notes
    -----
    Both are macro averages, over the classes that have positives and negatives here; for the rest
    neither is defined, so they are named in `skipped` rather than counted as 0 or NaN.
    """
    logits = logits.float()
    known = ~targets.isnan()
    truth = torch.where(known, (targets >= 0.5).long(), _UNKNOWN)
    positives = (truth == 1).sum(0)
    negatives = (truth == 0).sum(0)
    usable = (positives > 0) & (negatives > 0)
    skipped = {
        name: "no positives" if positives[index] == 0 else "no negatives"
        for index, name in enumerate(classes)
        if not usable[index]
    }
    loss = float(known_cross_entropy(logits, targets))
    if not usable.any():
        return Scores(loss, float("nan"), float("nan"), {}, skipped)

    # float64: the sigmoid of a confident logit is 1 in float32, and equal scores lose their order.
    activations = logits[:, usable].double().sigmoid()
    options: dict[str, Any] = {
        "num_labels": int(usable.sum()),
        "average": "none",
        "thresholds": None,
        "ignore_index": _UNKNOWN,
        "validate_args": False,
    }
    precision = multilabel_average_precision(activations, truth[:, usable], **options)
    area = multilabel_auroc(activations, truth[:, usable], **options)
    names = [name for index, name in enumerate(classes) if usable[index]]
    return Scores(
        loss,
        float(precision.mean()),
        float(area.mean()),
        dict(zip(names, precision.tolist(), strict=True)),
        skipped,
    )
