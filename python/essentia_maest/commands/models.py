"""`maest fetch` and `maest models`: public models, and those that are here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from ..errors import FetchError, InvalidArgumentError, ends_all_work
from .saying import ALL_DONE, SOME_FAILED, complain, one_line_warnings
from .surroundings import show

Tell = Callable[[str], object]


def add_models(commands: Any) -> None:
    """Add the sub-command `models` to the parsers of `maest`."""
    parser = commands.add_parser("models", help="list the models that are here", allow_abbrev=False)
    parser.set_defaults(command="models", run=run_models)


def add_fetch(commands: Any) -> None:
    """Add the sub-command `fetch` to the parsers of `maest`."""
    parser = commands.add_parser(
        "fetch",
        help="bring a public model",
        usage="maest fetch [options] NAME\n       maest fetch --list",
        description="Bring a public MAEST model from where it is published; every command then "
        "takes its name as --model. Needs agreement to its licence, CC BY-NC-SA 4.0.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="of the model, as `maest fetch --list` gives it")
    add("--list", action="store_true", help="list the public models")
    add(
        "--accept-licence",
        "--accept-license",
        dest="accept_licence",
        action="store_true",
        help="agree to the licence without being asked",
    )
    add(
        "--convert",
        action="store_true",
        help="make a model file of it, which can do more than Essentia's: patchout, fewer blocks",
    )
    add("--precision", choices=("fp32", "int8"), help="of --convert (default: fp32)")
    add(
        "--source",
        metavar="S",
        help="essentia, huggingface or github (default: the first that has the model)",
    )
    add("--from", dest="mirror", metavar="URL", help="a mirror with the same paths")
    add("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(command="fetch", run=run_fetch)


def run_models(arguments: argparse.Namespace) -> int:
    """List the models that are here, on stdout, and give the exit code."""
    from ..reading.fetched import cache_folder, fetched_models
    from ..reading.store import DEFAULT, shipped_models

    for name, path in shipped_models().items():
        show(_line(name, path) + ("  (default)" if name == DEFAULT else ""))
    fetched = fetched_models()
    for name, path in fetched.items():
        show(_line(name, path) + "  (fetched)")
    if not fetched:
        complain(f"no fetched models in {cache_folder()}; `maest fetch --list` has their names")
    return ALL_DONE


def run_fetch(arguments: argparse.Namespace) -> int:
    """Bring a model, or list what can be brought, and give the exit code."""
    try:
        with one_line_warnings():
            _fetch(arguments, complain)
    except FetchError as error:
        if ends_all_work(error):
            raise
        return complain(str(error), SOME_FAILED)
    return ALL_DONE


def _fetch(arguments: argparse.Namespace, tell: Tell) -> None:
    """Bring a model, or list what can be brought, on stdout.

    Parameters
    ----------
    arguments : argparse.Namespace
        What the parser of `add_fetch` gave.
    tell : callable
        Called with what is said besides.

    Raises
    ------
    InvalidArgumentError
        For bad usage, or where the licence is not agreed to.
    FetchError
        If it cannot be brought.
    ModelError, AudioFileError, ImportError
        As `essentia_maest.convert`.
    """
    if arguments.list:
        _list_public()
        return
    if arguments.name is None:
        raise InvalidArgumentError("fetch: no NAME found; `maest fetch --list` has the names")
    if arguments.precision and not arguments.convert:
        raise InvalidArgumentError("fetch: --precision is for --convert")

    from ..fetching.fetch import convert_fetched, fetch, missing_extra, public_model

    model = public_model(arguments.name)
    if arguments.convert and (missing := missing_extra(("convert",))):
        raise ImportError(missing)
    fetched = fetch(
        model,
        accept_licence=_agreed(model, arguments.accept_licence, tell),
        source=arguments.source,
        mirror=arguments.mirror,
        tell=tell,
        quiet=arguments.quiet,
    )
    tell(f"{model.name} is here: {fetched.path}")
    if arguments.convert or not fetched.source.runs:
        precision: Literal["fp32", "int8"] = arguments.precision or "fp32"
        if not arguments.convert:
            tell(f"{fetched.source.name} has a checkpoint, so a model file is made of it")
        path = convert_fetched(fetched, precision, report=lambda measured: tell(str(measured)))
        tell(f"wrote {path}")
    name = model.name + ("-int8" if arguments.precision == "int8" else "")
    tell(f"use it as --model {name}, or Model({name!r})")


def _agreed(model: Any, accepted: bool, tell: Tell) -> bool:
    """Show the licence, and ask where somebody can answer."""
    from ..fetching.fetch import LICENCE_WORDS, licence_accepted

    if licence_accepted(model):
        return True
    tell(LICENCE_WORDS)
    if accepted:
        return True
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        raise InvalidArgumentError(
            "fetch: the licence has to be agreed to; wanted --accept-licence, or a terminal that "
            "asks"
        )
    print("Do you agree? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _list_public() -> None:
    from ..reading.catalogue import LICENCE, MODELS
    from ..reading.fetched import fetched_file

    width = max(len(model.name) for model in MODELS)
    for model in MODELS:
        here = "  (fetched)" if fetched_file(model.name) else ""
        show(
            f"{model.name:{width}}  segments of {model.seconds:2} s, {model.classes} styles, "
            f"{LICENCE}{here}"
        )


def _line(name: str, path: Path) -> str:
    return f"{name}  {path.stat().st_size / 1e6:.1f} MB  {path}"
