"""`python -m training COMMAND`: arguments and exit codes only. The work is done elsewhere.

Exit codes: 0 done, 1 done but for what a report names as refused, 2 bad usage or data, 128 + n
ended by signal n (130: Ctrl-C).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from essentia_maest.errors import MaestError
from training.errors import TrainingError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

DONE, REFUSALS, BAD_USAGE = 0, 1, 2


class Command(NamedTuple):
    """Where a command is done, and what it is for.

    Its module is imported when it is asked for: `--help` is to answer at once.
    """

    module: str
    function: str
    help: str


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
    "fit": Command("training.run.fit", "fit", "train a network on a data set"),
    "teach": Command("training.run.teach", "teach", "a teacher's activations for a student"),
    "evaluate": Command("training.run.evaluate", "evaluate", "score a checkpoint on a split"),
    "export": Command("training.export", "export", "model file for `maest` from a checkpoint"),
    "curves": Command("training.run.curves", "curves", "picture of a run's learning curves"),
    "quality": Command(
        "training.quality.command", "quality", "what a model is worth, on held-out music"
    ),
    "corpus smoke": Command(
        "training.corpus.smoke", "make_smoke_corpus", "small real music corpus from packages"
    ),
    "corpus default": Command(
        "training.corpus.default", "make_default_corpus", "the embedded default model's corpus"
    ),
    "corpus example": Command(
        "training.corpus.example_clip", "make_example_clip", "the clip that ships with the package"
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows `python -m training`; None is this process's own.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        A command's help was asked for (0).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(_usage())
        return DONE if given else BAD_USAGE
    words = 2 if f"{given[0]} " in " ".join(COMMANDS) and given[0] not in COMMANDS else 1
    name = " ".join(given[:words])
    if name not in COMMANDS:
        return _complain(f"no command {name!r}; --help lists them", BAD_USAGE)
    _set_up_logging()
    try:
        return _run(name, given[words:])
    except KeyboardInterrupt:
        return _complain("interrupted", 128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our output has gone; do not fail again when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSALS
    except (TrainingError, MaestError, ArgumentError, ImportError, OSError) as error:
        return _complain(_one_line(error), BAD_USAGE)


def _usage() -> str:
    lines = [
        "usage: python -m training COMMAND ...",
        "",
        "Train MAEST, from audio with tags to a model file. COMMAND --help tells its arguments.",
        "",
    ]
    lines += [f"  {name:<16}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", *(__doc__ or "").split("\n\n")[1:]]).rstrip()


def _set_up_logging() -> None:
    level = logging.INFO if _first_process() else logging.ERROR
    logging.basicConfig(format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("training").setLevel(level)


def _first_process() -> bool:
    """Say whether this is the first process of a run: what all would say is said by it alone."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _run(name: str, arguments: list[str]) -> int:
    from jsonargparse import ArgumentParser

    command = COMMANDS[name]
    parser = ArgumentParser(
        prog=f"python -m training {name}", description=command.help, exit_on_error=False
    )
    if name == "fit":
        return _fit(parser, arguments)
    function: Callable[..., Any] = getattr(import_module(command.module), command.function)
    parser.add_function_arguments(function, as_group=False, as_positional=True)
    parsed = parser.instantiate(parser.parse_args(arguments))
    return _tell(function(**parsed))


def _fit(parser: ArgumentParser, arguments: list[str]) -> int:
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
    from training.run.signals import StoppedError

    try:
        fit(experiment, resume=resume)
    except StoppedError as stopped:
        code = 128 + stopped.signal
        return _complain(str(stopped), code) if _first_process() else code
    return DONE


def _config_files(arguments: list[str]) -> list[str]:
    """Find what `--config` was given, for messages: jsonargparse names the key alone."""
    joined = [given.removeprefix("--config=") for given in arguments if "--config=" in given]
    apart = [after for given, after in pairwise(arguments) if given == "--config"]
    return joined + apart


def _tell(result: Any) -> int:
    """Print what a command gives back, and choose the exit code by it."""
    if isinstance(result, Path):
        print(result)
    refused = getattr(result, "refused", None)
    if refused is None:
        return DONE
    print(result.summary())
    return REFUSALS if refused else DONE


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if lines[0].startswith("Caught "):
        # From a reading process, with its traceback; the last line has "type: message".
        return lines[-1].split(": ", 1)[-1]
    return " ".join(" ".join(lines).split())


def _complain(message: str, code: int) -> int:
    print(f"python -m training: {message}", file=sys.stderr)
    return code
