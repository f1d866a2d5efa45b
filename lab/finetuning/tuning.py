"""`python -m lab tune finetuning`: the values of finetune.yaml beside others, by validation."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions
from lab.finetuning.settings import SETTINGS, Setting
from lab.finetuning.timed import seconds_of, timed
from lab.finetuning.unheard import dealt_again, make_unheard_corpus
from training.config import Experiment
from training.data.spectrograms import make_spectrograms
from training.data.store import SpectrogramStore
from training.finetuning.head_alone import HEAD_ALONE, make_head_alone
from training.finetuning.own_tracks import (
    SHORTEST_SECONDS,
    TRACKS,
    groups_of_tracks,
    make_own_table,
)
from training.finetuning.plan import plan_finetuning
from training.run.fit import fit
from training.run.logs import EPOCHS, read_rows


@dataclass(frozen=True)
class Tried:
    """What came of a setting.

    Attributes
    ----------
    name : str
    start, last, best : sequence of float
        By run, mAP on the validation split: of the first weights, of the last epoch, and of the
        best.
    loss : sequence of float
        Of the last epoch.
    epochs, best_epoch : sequence of int
        How many there were, and which was the best.
    processor_seconds : sequence of float, optional
        Of all processors; None where it was interrupted.
    """

    name: str
    start: Sequence[float]
    last: Sequence[float]
    best: Sequence[float]
    loss: Sequence[float]
    epochs: Sequence[int]
    best_epoch: Sequence[int]
    processor_seconds: Sequence[float | None]


def tune_finetuning(
    output: Path,
    *,
    start: str = "default",
    cache: Path | None = None,
    work: Path | None = None,
    only: Sequence[str] = (),
    deals: int = 3,
    seeds: int = 1,
    overrides: Sequence[str] = (),
) -> Path:
    """Compare values of `training/configs/finetune.yaml` on validation splits.

    On the soundtracks of `python -m lab finetuning`, dealt as there; test splits are not looked at.
    No run ends before its last epoch. What was made is kept: a killed run is repeated to go on.

    Parameters
    ----------
    output : path
        Folder for ``tuning.md``.
    start : str
        Model file, or the name of a model.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.
    work : path, optional
        Folder for music, spectrograms and runs; default: ``work`` in the output folder.
    only : sequence of str
        Settings to try; default: all.
    deals : int
        1 to 6, as of `python -m lab finetuning`.
    seeds : int
        Runs of each setting on each deal.
    overrides : sequence of str
        Values that all settings share, as ``--recipe.epochs=20``.

    Returns
    -------
    Path
        The table.
    """
    output = Path(output)
    work = output / "work" if work is None else work
    labels = make_unheard_corpus(work / "music", cache=cache)
    on = [
        _deal(dealt_again(labels, number), start, work / "tuning" / f"deal-{number}", overrides)
        for number in range(deals)
    ]
    tried = []
    for name, setting in SETTINGS.items():
        if not only or name in only:
            runs = [deal.run(name, setting, seed) for seed in range(seeds) for deal in on]
            tried.append(_tried(name, runs))
    path = output / "tuning.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = f"{start} --deals {deals} --seeds {seeds}"
    for name, values in (("only", only), ("overrides", overrides)):
        told += f" --{name} '{json.dumps(list(values))}'" if values else ""
    write_whole(path, page(tried, told, f"{machine()}. {versions()}."))
    return path


@dataclass(frozen=True)
class _Deal:
    """A deal of the music, and the heads alone that its runs begin with."""

    folder: Path
    plan: Callable[..., Experiment]
    shared: Sequence[str]
    groups: NDArray[np.int64]

    def run(self, name: str, setting: Setting, seed: int) -> Path:
        """Train with a setting, unless that was done; gives the run's folder."""
        folder = self.folder / f"{name.replace(', ', ' ').replace(' ', '-')}-{seed}"
        # All epochs are wanted, and the first weights beside them.
        given = [*setting.values, f"--run.seed={seed}", "--recipe.patience=1000", *self.shared]
        one = self.plan(self.folder / HEAD_ALONE, run=folder, overrides=given)
        timed(
            _note(folder),
            folder,
            partial(fit, one, resume=folder.exists(), groups=self.groups),
        )
        return folder


def _note(run: Path) -> Path:
    return run.with_name(f"{run.name}.json")


def _deal(labels: Path, start: str, own: Path, overrides: Sequence[str]) -> _Deal:
    own.mkdir(parents=True, exist_ok=True)
    make_own_table(labels, own, validation_share=0.15, test_share=0.15, seed=0)
    make_spectrograms(own / TRACKS, own / "dataset", shortest_seconds=SHORTEST_SECONDS)
    store = SpectrogramStore(own / "dataset")
    plan = partial(plan_finetuning, dataset=own / "dataset", tracks=len(store.indices("train")))
    shared = ["--run.accelerator=cpu", *overrides]
    groups = groups_of_tracks(store, own / TRACKS)
    whole = plan(Path(start), run=own / "none", overrides=shared)
    make_head_alone(whole, store, groups, own / HEAD_ALONE)
    return _Deal(own, plan, shared, groups)


def _tried(name: str, runs: Sequence[Path]) -> Tried:
    every = [[row for row in read_rows(run / EPOCHS) if _scored(row)] for run in runs]
    scores = [[_score(row) for row in rows] for rows in every]
    best = [int(np.argmax(one)) for one in scores]
    return Tried(
        name,
        [one[0] for one in scores],
        [one[-1] for one in scores],
        [max(one) for one in scores],
        [_score(rows[-1], "loss") for rows in every],
        [int(rows[-1]["epoch"]) for rows in every],
        [int(rows[place]["epoch"]) for rows, place in zip(every, best, strict=True)],
        [seconds_of(_note(run)) for run in runs],
    )


def _scored(row: Mapping[str, float]) -> bool:
    return not math.isnan(row["mean_average_precision"])


def _score(row: Mapping[str, float], what: str = "mean_average_precision") -> float:
    """Give a score: of the mean of the weights, where there is one."""
    averaged = row[f"averaged_{what}"]
    return row[what] if math.isnan(averaged) else averaged


def page(tried: Sequence[Tried], start: str, where: str) -> str:
    """Write the page.

    Parameters
    ----------
    tried : sequence of Tried
    start : str
        What was trained on, and further arguments.
    where : str
        Machine and versions.
    """
    lines = [
        "# How the values of fine-tuning were chosen",
        "",
        f"`python -m lab tune finetuning OUTPUT --start {start}`: on the training and validation "
        "splits of the soundtracks that `python -m lab finetuning` takes; test splits were not "
        "looked at. Means of all runs, in brackets each of them: validation mAP of the last epoch, "
        "its lead over the head alone, its loss, mAP "
        "and number of the best epoch, which a choice among many raises by chance.",
        "",
        "| | mAP, last epoch | lead | loss | mAP, best epoch | best of epochs | CPU s |",
        "|-|-|-|-|-|-|-|",
    ]
    for one in tried:
        lead = [last - start for last, start in zip(one.last, one.start, strict=True)]
        seconds = [value for value in one.processor_seconds if value is not None]
        cells = [
            one.name,
            _each(one.last, 3),
            _each(lead, 3),
            _each(one.loss, 3),
            _each(one.best, 3),
            f"{', '.join(map(str, one.best_epoch))} of {one.epochs[0]}",
            f"{mean(seconds):.0f}" if seconds else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Machine: {where}", ""])


def _each(values: Sequence[float], digits: int) -> str:
    every = ", ".join(f"{value:.{digits}f}" for value in values)
    return f"{mean(values):.{digits}f} ({every})"
