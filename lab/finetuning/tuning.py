"""`python -m lab tune finetuning`: the values of finetune.yaml beside others, by validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions
from lab.finetuning.unheard import make_unheard_corpus
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

SETTINGS: Mapping[str, Sequence[str]] = {
    "finetune.yaml": (),
    "learning rate 1e-4": ("--recipe.schedule.peak=1e-4",),
    "learning rate 1e-3": ("--recipe.schedule.peak=1e-3",),
    "rate by layer x 0.65": ("--recipe.layers.rate_decay=0.65",),
    "one rate for all layers": ("--recipe.layers.rate_decay=1.0",),
    "no block frozen": ("--recipe.layers.frozen_blocks=0",),
    "1 block frozen": ("--recipe.layers.frozen_blocks=1",),
    "no patchout": ("--model.patchout.frequency=0", "--model.patchout.time=0"),
    "no mixup": ("--recipe.augmentation.mixup_alpha=0",),
    "no masks": (
        "--recipe.augmentation.time_groups=0",
        "--recipe.augmentation.band_groups=0",
    ),
}
"""Each changes one value, or a few that belong together; the last given counts."""


@dataclass(frozen=True)
class Tried:
    """What came of a setting.

    Attributes
    ----------
    name : str
    average_precision, loss : sequence of float
        By seed, on the validation split, of the epoch with the best mAP.
    best, epochs : sequence of int
        That epoch, and how many there were.
    seconds : sequence of float
        By the clock, training alone.
    """

    name: str
    average_precision: Sequence[float]
    loss: Sequence[float]
    best: Sequence[int]
    epochs: Sequence[int]
    seconds: Sequence[float]


def tune_finetuning(
    output: Path,
    *,
    start: str = "default",
    cache: Path | None = None,
    work: Path | None = None,
    only: Sequence[str] = (),
    seeds: int = 2,
    overrides: Sequence[str] = (),
) -> Path:
    """Compare values of `training/configs/finetune.yaml` on the validation split.

    On the soundtracks of `python -m lab finetuning`; their test split is not looked at. What
    was made is kept: a killed run is repeated to go on.

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
    seeds : int
        Runs of each.
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
    own = work / "own"
    own.mkdir(parents=True, exist_ok=True)
    make_own_table(labels, own, validation_share=0.15, test_share=0.15, seed=0)
    make_spectrograms(own / TRACKS, own / "dataset", shortest_seconds=SHORTEST_SECONDS)
    store = SpectrogramStore(own / "dataset")
    tracks = len(store.indices("train"))
    plan = partial(plan_finetuning, dataset=own / "dataset", tracks=tracks)
    cpu = ["--run.accelerator=cpu", *overrides]
    whole = plan(Path(start), run=work / "tuning", overrides=cpu)
    begun = own / HEAD_ALONE
    groups = groups_of_tracks(store, own / TRACKS)
    make_head_alone(whole, store, groups, begun)
    tried = []
    for name, values in SETTINGS.items():
        if only and name not in only:
            continue
        experiments = []
        for seed in range(seeds):
            folder = work / "tuning" / f"{name.replace(' ', '-')}-{seed}"
            one = plan(begun, run=folder, overrides=[*cpu, *values])
            experiments.append(replace(one, run=replace(one.run, seed=seed)))
        for experiment in experiments:
            if not (experiment.run.folder / "final.ckpt").exists():
                fit(experiment, resume=experiment.run.folder.exists(), groups=groups)
        tried.append(_tried(name, experiments))
    path = output / "tuning.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = " ".join(["", *overrides])
    write_whole(path, page(tried, f"{start}{given}", f"{machine()}. {versions()}."))
    return path


def _tried(name: str, experiments: Sequence[Experiment]) -> Tried:
    found = []
    for experiment in experiments:
        rows = read_rows(experiment.run.folder / EPOCHS)
        best = max(rows, key=lambda row: row["mean_average_precision"])
        seconds = sum(row["train_seconds"] for row in rows)
        found.append((best, len(rows), seconds))
    return Tried(
        name,
        [best["mean_average_precision"] for best, _, _ in found],
        [best["loss"] for best, _, _ in found],
        [int(best["epoch"]) for best, _, _ in found],
        [count - 1 for _, count, _ in found],
        [seconds for _, _, seconds in found],
    )


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
        "splits of the soundtracks that `python -m lab finetuning` takes; the test split was not "
        f"looked at. Means of {len(tried[0].loss)} seeds, in brackets each of them: mAP and loss "
        "of the epoch with the best mAP, that epoch (0 is the head alone, from which all begin), "
        "and how many there were.",
        "",
        "| | validation mAP | loss | best epoch | epochs |",
        "|-|-|-|-|-|",
    ]
    for one in tried:
        cells = [
            one.name,
            _each(one.average_precision, 3),
            _each(one.loss, 3),
            _each(one.best, 0),
            _each(one.epochs, 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Machine: {where}", ""])


def _each(values: Sequence[float], digits: int) -> str:
    every = ", ".join(f"{value:.{digits}f}" for value in values)
    return f"{mean(values):.{digits}f} ({every})"
