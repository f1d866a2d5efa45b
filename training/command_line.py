"""A command line out of functions: arguments, exit codes, one line for what is wrong.

Exit codes: 0 done, 1 done but for what a report names as refused, 2 bad usage or data, 3 stopped
early by the machine (a full disk, no more processes), 128 + n ended by signal n (130: Ctrl-C).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import ArgumentError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from essentia_maest.errors import MaestError, ends_all_work
from essentia_maest.files import is_full_disk
from training.errors import StoppedError, TrainingError

DONE, REFUSALS, BAD_USAGE, STOPPED_EARLY = 0, 1, 2, 3


class Command(NamedTuple):
    """Where a command is done, and what it is for.

    Its module is imported when it is asked for: `--help` is to answer at once.
    """

    module: str
    function: str
    help: str
    takes_parser: bool = False
    """The function adds its arguments to a parser itself: it is called with the parser, what
    follows the command's name, and `CommandLine.complain`, and gives the exit code."""


@dataclass(frozen=True)
class CommandLine:
    """Commands under one name.

    Parameters
    ----------
    program : str
        What is typed before a command, as "python -m training".
    about : str
        One line for the help.
    commands : mapping of str to Command
        Names have one word or two.
    """

    program: str
    about: str
    commands: Mapping[str, Command]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run a command.

        Parameters
        ----------
        arguments : sequence of str, optional
            What follows the program's name; None is this process's own.

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
            print(self._usage())
            return DONE if given else BAD_USAGE
        words = 2 if f"{given[0]} " in " ".join(self.commands) and not self._has(given[0]) else 1
        name = " ".join(given[:words])
        if not self._has(name):
            return self.complain(f"no command {name!r}; --help lists them", BAD_USAGE)
        _set_up_logging()
        try:
            return self._run(name, given[words:])
        except KeyboardInterrupt:
            return self.complain("interrupted", 128 + signal.SIGINT)
        except BrokenPipeError:
            # Whoever read our output has gone; do not fail again when Python flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return REFUSALS
        except (
            TrainingError, StoppedError, MaestError, ArgumentError, ImportError, OSError
        ) as error:  # fmt: skip
            return self._complain_of(error)

    def complain(self, message: str, code: int) -> int:
        """Print a line on stderr, and give the exit code back."""
        print(f"{self.program}: {message}", file=sys.stderr)
        return code

    def _complain_of(self, error: BaseException) -> int:
        if isinstance(error, StoppedError):
            code = 128 + error.signal
            return self.complain(str(error), code) if first_process() else code
        if is_full_disk(error) or ends_all_work(error):
            return self.complain(f"stopped early: {_one_line(error)}", STOPPED_EARLY)
        return self.complain(_one_line(error), BAD_USAGE)

    def _has(self, name: str) -> bool:
        return name in self.commands

    def _usage(self) -> str:
        lines = [f"usage: {self.program} COMMAND ...", ""]
        lines += [f"{self.about} COMMAND --help tells its arguments.", ""]
        lines += [f"  {name:<20}{command.help}" for name, command in self.commands.items()]
        return "\n".join([*lines, "", *(__doc__ or "").split("\n\n")[1:]]).rstrip()

    def _run(self, name: str, arguments: list[str]) -> int:
        from jsonargparse import ArgumentParser

        command = self.commands[name]
        parser = ArgumentParser(
            prog=f"{self.program} {name}",
            description=command.help,
            exit_on_error=False,
            # --recipe.epoch is no --recipe.epochs
            allow_abbrev=False,
        )
        function: Callable[..., Any] = getattr(import_module(command.module), command.function)
        if command.takes_parser:
            return int(function(parser, arguments, self.complain))
        parser.add_function_arguments(function, as_group=False, as_positional=True)
        parsed = parser.instantiate(parser.parse_args(arguments))
        return _tell(function(**parsed))


def first_process() -> bool:
    """Say whether this is the first process of a run: what all would say is said by it alone."""
    rank = os.environ.get("RANK")  # torchrun's, over all nodes
    if rank is not None:
        return rank == "0"
    if "LOCAL_RANK" not in os.environ and "SLURM_NTASKS" in os.environ:
        return os.environ.get("SLURM_PROCID", "0") == "0"
    local, node = os.environ.get("LOCAL_RANK", "0"), os.environ.get("NODE_RANK", "0")
    return local == node == "0"


def _set_up_logging() -> None:
    level = logging.INFO if first_process() else logging.ERROR
    logging.basicConfig(format="%(message)s", stream=sys.stderr, force=True)
    for name in ("training", "lab"):
        logging.getLogger(name).setLevel(level)


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
