"""What was measured of fine-tuning, as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lab.finetuning.scores import DealtScores, Difference
from training.recipe.bootstrap import Interval


@dataclass
class Measured:
    """A way to a model of one's own classes, in each deal.

    Attributes
    ----------
    name : str
    activations : list of ndarray [tracks of the test split, classes]
        In the order of the data set; higher is likelier.
    found : list of str
        What came of it: the block that the head reads, the epoch.
    processor_seconds : list of float, optional
        Of all processors together, from audio files to the model; None where it was interrupted.
    """

    name: str
    activations: list[NDArray[np.floating]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    processor_seconds: list[float | None] = field(default_factory=list)

    def add(
        self, activations: NDArray[np.floating], found: str, processor_seconds: float | None
    ) -> None:
        """Add a deal."""
        self.activations.append(activations)
        self.found.append(found)
        self.processor_seconds.append(processor_seconds)

    def first(self, count: int) -> Measured:
        """Give the first runs only."""
        return Measured(
            self.name,
            self.activations[:count],
            self.found[:count],
            self.processor_seconds[:count],
        )


def table(measured: Sequence[Measured], scores: Mapping[str, DealtScores]) -> str:
    """Write the rows of a table, its head among them.

    Parameters
    ----------
    measured : sequence of Measured
    scores : mapping
        Name -> what it is worth.
    """
    lines = ["| | mAP | by deal | ROC-AUC | block, epochs | processor seconds |", "|-|-|-|-|-|-|"]
    for item in measured:
        found = scores[item.name]
        seconds = [value for value in item.processor_seconds if value is not None]
        cells = [
            item.name,
            _interval(found.mean_average_precision),
            _each(found.by_deal),
            _interval(found.roc_auc),
            "; ".join(dict.fromkeys(item.found)),
            f"{np.mean(seconds):.0f}" if seconds else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def differences(above: Mapping[tuple[str, str], Difference]) -> str:
    """Write a table of differences.

    Parameters
    ----------
    above : mapping
        Two names -> how far the first one's mAP is above the second one's.
    """
    lines = ["| mAP of | less that of | pieces drawn | over deals | by deal |", "|-|-|-|-|-|"]
    for (name, other), found in above.items():
        deals = found.over_deals
        cells = [
            name,
            other,
            _interval(found.drawn),
            f"{deals.low:.3f} to {deals.high:.3f}" if len(found.by_deal) > 1 else "",
            _each(found.by_deal),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(
    tables: Sequence[tuple[str, str]],
    sizes: Sequence[Mapping[str, int]],
    pieces: int,
    seeds: int,
    *,
    command: str,
    where: str,
) -> str:
    """Write the page.

    Parameters
    ----------
    tables : sequence of (str, str)
        What was measured, and differences: of all runs; then, if there were others, of some.
    sizes : sequence of mapping
        Of each deal: split -> excerpts.
    pieces : int
        In the test splits of all deals together.
    seeds : int
        Runs for each deal.
    command : str
        Arguments of the command.
    where : str
        Machine and versions.
    """
    told = {
        split: ", ".join(dict.fromkeys(str(size[split]) for size in sizes)) for split in sizes[0]
    }
    first, *others = tables
    lines = [
        "# Fine-tuning, measured",
        "",
        f"`python -m lab finetuning OUTPUT {command}`: seven soundtracks of free games are the "
        "classes, music out of Debian packages that the model that ships has not heard. It is "
        f"dealt {len(sizes)} times: {told['train']} excerpts of 30 s to train on, "
        f"{told['validation']} for validation, {told['test']} for the test ({pieces} pieces in all "
        f"test splits); runs for each deal: {seeds}. No piece is in two splits of a deal, but "
        "pieces of one soundtrack share composers, instruments and mastering, which is part of "
        "what is learnt here: scores on one's own classes will be others. Scores are means over "
        "deals; in brackets: 95 % intervals, from a bootstrap over pieces.",
        "",
        first[0],
        "",
        'Differences, of the same pieces. Both intervals are of 95 %: "pieces drawn" is the '
        "bootstrap; \"over deals\" is Student's, of the deals' differences, which holds what "
        "training does by chance, too (but training splits of two deals have much in common).",
        "",
        first[1],
        "",
        "`finetune` is the command, with what is said above beside its defaults: the head alone is "
        "its epoch 0, which it keeps unless a later one is better by validation by more than two "
        "standard errors (bootstrap over pieces). Probes are of scikit-learn, on the engine's "
        "embeddings, with "
        "the penalty that is best on the validation split. Processor seconds go from audio files "
        "to a model, those of all processors together; of random weights, training alone.",
        "",
    ]
    for other in others:
        lines += [
            "With a random start, one run for each of the first deals only:",
            "",
            other[0],
            "",
        ]
        lines += [other[1], ""]
    return "\n".join([*lines, f"Machine: {where}", ""])


def _interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _each(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
