"""What was measured of fine-tuning, as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.downstream.bootstrap import Interval
from training.downstream.scores import Difference, FamilyScores


@dataclass(frozen=True)
class Measured:
    """A way to a model of one's own classes.

    Attributes
    ----------
    name : str
    activations : float [tracks of the test split, classes]
        In the order of the data set; higher is likelier.
    trained_weights : int
    epochs : int, optional
        Until it ended; None where there are none.
    processor_seconds : float
        Of all processors together, for training: what it takes on one that has nothing else to do.
    """

    name: str
    activations: NDArray[np.floating]
    trained_weights: int
    epochs: int | None
    processor_seconds: float


class Compared(NamedTuple):
    """Scores on the test split, and how far they are above those of a head alone.

    Parameters
    ----------
    scores : FamilyScores
    above : Difference, optional
        By the same draws; None of the head itself.
    """

    scores: FamilyScores
    above: Difference | None


def table(
    measured: Sequence[Measured],
    scores: Mapping[str, Compared],
    sizes: Mapping[str, int],
    start: str,
    where: str,
) -> str:
    """Write the page.

    Parameters
    ----------
    measured : sequence of Measured
    scores : mapping
        Name -> what it is worth.
    sizes : mapping
        Split -> excerpts.
    start : str
        What was trained on, and further arguments.
    where : str
        Machine and versions.
    """
    one = scores[measured[0].name].scores
    lines = [
        "# Fine-tuning, measured",
        "",
        f"`python -m lab finetuning OUTPUT --start {start}`: seven soundtracks of free games are "
        "the classes, music out of Debian packages that the model that ships has not heard. "
        f"{sizes['train']} excerpts of 30 s to train on, {sizes['validation']} for validation, "
        f"{sizes['test']} for the test, from {one.groups} pieces; no piece is in two splits, but "
        "pieces of one soundtrack share composers, instruments and mastering, which is part of "
        "what is learnt here: scores on one's own classes will be others. In brackets: 95 % "
        "intervals, from a bootstrap over pieces; differences are of the same draws. One seed.",
        "",
        "| | mAP | ROC-AUC | mAP above the head on block 7 | weights trained | epochs "
        "| processor seconds |",
        "|-|-|-|-|-|-|-|",
    ]
    for item in measured:
        score, above = scores[item.name]
        cells = [
            item.name,
            _interval(score.mean_average_precision),
            _interval(score.roc_auc),
            "" if above is None else _interval(above.mean_average_precision),
            f"{item.trained_weights:,}",
            "" if item.epochs is None else str(item.epochs),
            f"{item.processor_seconds:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        f"| chance | {one.chance:.3f} | 0.500 | | | | |",
        "",
        "Processor seconds are those of training alone: the steps taken, by the median of nine, "
        "reading included, validation not; of probes, the embeddings of all excerpts and the "
        "regression. Spectrograms and the model file cost the same for all.",
        "",
        f"Machine: {where}",
    ]
    return "\n".join(lines) + "\n"


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
