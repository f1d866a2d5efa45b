"""`python -m training finetune`."""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from essentia_maest.reading.store import DEFAULT
from training.command_line import DONE, REFUSALS
from training.errors import ConfigError
from training.finetuning.own_tracks import (
    SHORTEST_SECONDS,
    TRACKS,
    groups_of_tracks,
    make_own_table,
)
from training.finetuning.plan import CONFIG, check_block, plan_finetuning

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from training.config import Experiment
    from training.data.store import SpectrogramStore
    from training.recipe.metrics import Scores

_log = logging.getLogger("training")
_KEPT_SECONDS = 30.0
_COMPARED = 4


@dataclass(frozen=True)
class Finetuned:
    """What came of a fine-tuning.

    Attributes
    ----------
    model : Path
        The model file.
    checkpoint : Path
        What it was made from.
    scores : Scores, optional
        On the test split; None where that is empty.
    refused : int
        Tracks that could not be used; the reports in the work folder name them.
    block : int
        The block of the start that the head reads: the model's last.
    epoch : int
        Whose weights these are; 0 is the head alone, with the start's blocks.
    """

    model: Path
    checkpoint: Path
    scores: Scores | None
    refused: int
    block: int
    epoch: int


def finetune(
    labels: Path,
    start: Path,
    output: Path,
    *,
    work: Path | None = None,
    config: Path = CONFIG,
    overrides: Sequence[str] = (),
    validation_share: float = 0.15,
    test_share: float = 0.15,
    seed: int = 0,
    block: int | None = None,
    precision: Literal["fp32", "int8"] = "fp32",
    name: str | None = None,
    license: str = "not stated",
) -> Finetuned:
    """Train a model on with one's own tracks and classes, and write it as a model file.

    Each step keeps what it made in the work folder: repeated, the command goes on where it ended.

    Parameters
    ----------
    labels : Path
        A table of tracks and tags, or a folder for each class (`own_tracks.make_own_table`).
    start : Path
        Any checkpoint of a MAEST, a model file, or the name of one that ships or was fetched.
    output : Path
        The ``.onnx`` file.
    work : Path, optional
        Folder for the tracks table, the spectrograms and the run; by default ``OUTPUT`` with
        ``.training`` for ``.onnx``.
    config, overrides
        As `plan.plan_finetuning`.
    validation_share, test_share : float
        Of the tracks, where the table does not say.
    seed : int
        Of the splits.
    block : int, optional
        As `head_alone.make_head_alone`.
    precision, name, license
        As `training.export.export`.

    Returns
    -------
    Finetuned

    Raises
    ------
    TrainingError
        The tracks, the start or the configuration cannot be used, or the model file is not what
        was trained.
    StoppedError
        A signal asked to end.
    """
    from essentia_maest.making.model_writing import checked_destination
    from training.data.spectrograms import make_spectrograms
    from training.data.store import SpectrogramStore
    from training.export import export
    from training.finetuning.head_alone import HEAD_ALONE, make_head_alone
    from training.run.checkpoint import load_checkpoint
    from training.run.evaluate import evaluate
    from training.run.fit import fit
    from training.run.inference import Computing

    target = checked_destination(output)
    work = target.with_suffix(".training") if work is None else work
    plan = partial(
        plan_finetuning,
        dataset=work / "dataset",
        run=work / "run",
        config=config,
        overrides=overrides,
    )
    # What is wrong with it comes up before hours are spent on spectrograms.
    seconds = _checked(plan(start, tracks=1), block).model.seconds
    work.mkdir(parents=True, exist_ok=True)
    table = make_own_table(
        labels, work, validation_share=validation_share, test_share=test_share, seed=seed
    )
    made = make_spectrograms(
        work / TRACKS,
        work / "dataset",
        seconds=max(_KEPT_SECONDS, seconds),
        shortest_seconds=SHORTEST_SECONDS,
    )
    for report in (table, made):
        _log.info(report.summary())
    store = SpectrogramStore(work / "dataset")
    tracks = len(store.indices("train"))
    begun = work / HEAD_ALONE
    groups = groups_of_tracks(store, work / TRACKS)
    block = make_head_alone(plan(start, tracks=tracks), store, groups, begun, block=block)
    experiment = plan(begun, tracks=tracks)
    fit(experiment, resume=(work / "run").exists(), groups=groups)
    final = work / "run" / "final.ckpt"
    trained = load_checkpoint(final)
    averaged = trained.averaged is not None
    epoch = int(trained.progress["epoch"])
    if epoch == 0:
        _log.info(
            "no epoch's lead over the head alone was more than chance on the validation split "
            "(recipe.margin): that is the model, with blocks as they were"
        )
    computing = Computing(workers=0, accelerator=experiment.run.accelerator)
    scores = None
    if len(store.indices("test")):
        scores = evaluate(final, work / "scores.json", averaged=averaged, computing=computing)
    families = all("---" in label for label in store.classes)
    model = export(
        final,
        target,
        audio=_to_compare_on(store),
        precision=precision,
        averaged=averaged,
        name=name or target.stem,
        license=license,
        families=families,
    )
    refused = sum(table.refused.values()) + sum(made.refused.values())
    return Finetuned(model, final, scores, refused, block, epoch)


def _checked(experiment: Experiment, block: int | None) -> Experiment:
    check_block(experiment, block)
    if experiment.run.devices * experiment.run.nodes > 1:
        raise ConfigError(
            "finetune trains on one device; for several, make the data set with `table` and "
            "`spectrograms`, and train with `fit`"
        )
    return experiment


def _to_compare_on(store: SpectrogramStore) -> list[Path] | None:
    """Choose training tracks where there are none for validation, which `export` would take."""
    if len(store.indices("validation")):
        return None
    return [store.path(int(index)) for index in store.indices("train")[:_COMPARED]]


def finetune_command(
    parser: ArgumentParser, arguments: list[str], complain: Callable[[str, int], int]
) -> int:
    """Parse arguments, and do it; those with a dot are values of the experiment."""
    own, overrides = _apart(arguments)
    chosen = _parser(parser.prog, parser.description).parse_args(own)
    done = finetune(
        chosen.labels,
        chosen.start,
        chosen.output,
        work=chosen.work,
        config=chosen.config,
        overrides=overrides,
        validation_share=chosen.validation_share,
        test_share=chosen.test_share,
        seed=chosen.seed,
        block=chosen.block,
        precision=chosen.precision,
        name=chosen.name,
        license=chosen.license,
    )
    if done.scores is None:
        _log.warning("no track is left for a test: nothing says what the model is worth")
    elif math.isnan(done.scores.mean_average_precision):
        _log.warning("the test split is too small for scores")
    print(done.model)
    return REFUSALS if done.refused else DONE


def _apart(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the command's own arguments from those of the experiment, as ``--recipe.epochs 10``."""
    own: list[str] = []
    overrides: list[str] = []
    left = iter(arguments)
    for given in left:
        if not given.startswith("--") or "." not in given.split("=")[0]:
            own.append(given)
        elif "=" in given:
            overrides.append(given)
        else:
            overrides.append(f"{given}={next(left, '')}")
    return own, overrides


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        """Let the command line tell it, in its one line."""
        raise ConfigError(message)


def _parser(program: str, about: str | None) -> _Parser:
    parser = _Parser(
        prog=program,
        description=about,
        epilog="Any value of an experiment too, as for fit: --recipe.epochs 10",
        allow_abbrev=False,
    )
    parser.add_argument(
        "labels", type=Path, help="CSV, TSV or Parquet with path and tags, or a folder of classes"
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        default=Path("default"),
        help=f"checkpoint, model file or name of a model; default: the one that ships, {DEFAULT}",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .onnx file")
    parser.add_argument("--work", type=Path, help="folder for spectrograms and the run")
    parser.add_argument(
        "--config",
        type=Path,
        default=CONFIG,
        help="YAML file with values other than those of finetune.yaml",
    )
    for split in ("validation", "test"):
        parser.add_argument(
            f"--{split}-share",
            type=float,
            default=0.15,
            help="of the tracks, where the table has no split; default: %(default)s",
        )
    parser.add_argument("--seed", type=int, default=0, help="of the splits")
    parser.add_argument(
        "--block",
        type=int,
        help="of the start, from 1, that the head reads; default: the best by cross-validation",
    )
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--name", help="title of the model; default: the file's name")
    parser.add_argument("--license", default="not stated", help="of the weights")
    return parser
