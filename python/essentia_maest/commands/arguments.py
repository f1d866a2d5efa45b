"""What the command ``maest`` accepts: arguments, their help and their defaults."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from . import (
    analyze,
    bench,
    convert,
    export,
    head,
    info,
    models,
    playlist,
    report,
    similar,
    tag,
)
from .surroundings import show

# In the order in which `maest --help` lists them. Each adds its parser and, as `run`, what it does.
_SUB_COMMANDS = (
    analyze.add,
    report.add,
    similar.add,
    playlist.add,
    tag.add,
    export.add,
    head.add,
    convert.add,
    info.add,
    bench.add,
    models.add_fetch,
    models.add_models,
)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command ``maest``.

    Returns
    -------
    argparse.ArgumentParser
        What it parses has the sub-command's name as `command` and what does it as `run`, beside
        its arguments.
    """
    parser = argparse.ArgumentParser(
        prog="maest",
        description="Music embeddings and tags with MAEST models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in _SUB_COMMANDS:
        add(commands)
    for command in commands.choices.values():
        command.add_argument(
            "--verbose", action="store_true", help="tell on stderr what is chosen and done"
        )
    return parser


class _Version(argparse.Action):
    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version

        show(f"maest {version('essentia-maest')}")
        parser.exit()
