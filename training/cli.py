"""`python -m training COMMAND`: which commands there are. The work is done elsewhere."""

from __future__ import annotations

import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

from training.command_line import DONE, Command, CommandLine

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

COMMANDS = {
    "discogs": Command(
        "training.data.discogs", "make_discogs_table", "tracks table from Discogs' dumps"
    ),
    "table": Command(
        "training.data.table", "make_table", "tracks table from a CSV or Parquet file"
    ),
    "spectrograms": Command(
        "training.data.spectrograms", "make_spectrograms", "data set from a tracks table"
    ),
    "fit": Command("training.cli", "fit_command", "train a network on a data set", True),
    "finetune": Command(
        "training.finetuning.command",
        "finetune_command",
        "from one's own tracks and a trained model to a model file",
        True,
    ),
    "teach": Command("training.run.teach", "teach", "a teacher's activations for a student"),
    "evaluate": Command("training.run.evaluate", "evaluate", "score a checkpoint on a split"),
    "export": Command("training.export", "export", "model file for `maest` from a checkpoint"),
    "baselines": Command(
        "training.export.untrained", "write_untrained", "Figure 3's other networks, untrained"
    ),
    "curves": Command("training.run.curves", "curves", "picture of a run's learning curves"),
    "downstream dataset": Command(
        "training.downstream.datasets.making", "make_dataset", "tracks table of a published set"
    ),
    "downstream embed": Command(
        "training.downstream.embeddings", "embed", "a model's embeddings of a tracks table"
    ),
    "downstream probe": Command(
        "training.downstream.evaluation", "probe_embeddings", "what embeddings are worth"
    ),
    "downstream figure2": Command(
        "training.downstream.block_figure", "draw_blocks", "mAP by block and tokens"
    ),
    "downstream figure3": Command(
        "training.downstream.speed_figure", "draw_speeds", "mAP against throughput, by patchout"
    ),
    "downstream table3": Command("training.downstream.tables", "table_3", "mAP by initialisation"),
    "downstream table4": Command(
        "training.downstream.tables", "table_4", "mAP by length of segments"
    ),
    "downstream table5": Command(
        "training.downstream.tables", "table_5", "models on several data sets"
    ),
}

# They are the workshop's since 0.2 and are handed on for a release.
_MOVED = ("corpus", "quality")

_LINE = CommandLine(
    "python -m training", "Train MAEST, from audio with tags to a model file.", COMMANDS
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; `CommandLine.main` says what it returns and raises."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in _MOVED:
        _LINE.complain(f"{given[0]!r} is now a command of `python -m lab`", DONE)
        return int(import_module("lab.cli").main(given))
    return _LINE.main(given)


def fit_command(
    parser: ArgumentParser, arguments: list[str], complain: Callable[[str, int], int]
) -> int:
    """Train: the configuration's own arguments, and ``--resume``."""
    from training.errors import ConfigError
    from training.run.config_file import add_experiment_arguments, experiment_of

    add_experiment_arguments(parser)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run in run.folder where it stopped"
    )
    try:
        parsed = parser.parse_args(arguments)
        resume = parsed.pop("resume")
        experiment = experiment_of(parser, parsed)
    except (ArgumentError, ConfigError) as error:
        raise ConfigError(": ".join([*_config_files(arguments), str(error)])) from None

    # torch only now: what is wrong with a configuration shows at once.
    from training.run.fit import fit

    fit(experiment, resume=resume)
    return DONE


def _config_files(arguments: list[str]) -> list[str]:
    """Find what `--config` was given, for messages: jsonargparse names the key alone."""
    joined = [given.removeprefix("--config=") for given in arguments if "--config=" in given]
    apart = [after for given, after in pairwise(arguments) if given == "--config"]
    return joined + apart
