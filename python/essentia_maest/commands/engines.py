"""`maest analyze --engine`: where tracks are analysed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..collection.options import AnalysisOptions
    from ..collection.runner import MakeEngine
    from ..model import Model

LOCAL, RAY = ENGINES = ("local", "ray")


def add(add: Callable[..., Any]) -> None:
    """Add the arguments that choose one."""
    add(
        "--engine",
        choices=ENGINES,
        default=LOCAL,
        help="where tracks are analysed: here, or on a Ray cluster (extra `ray`; default: "
        "%(default)s)",
    )
    add(
        "--ray-address",
        metavar="HOST:PORT",
        help="of the cluster (default: $RAY_ADDRESS, one that runs on this machine, or one that is "
        "started for the run)",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It does not.
    """
    if arguments.engine == LOCAL and arguments.ray_address is not None:
        raise InvalidArgumentError("--ray-address found without --engine ray")
    for name in ("threads", "profile"):
        if arguments.engine == RAY and getattr(arguments, name):
            raise InvalidArgumentError(
                f"--{name} is for --engine local: on a cluster each worker computes in one thread"
            )


def made(
    arguments: argparse.Namespace, model: Model, options: AnalysisOptions, *, hashed: bool
) -> MakeEngine | None:
    """Give what makes the engine that was asked for; None for this machine's own.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It is not installed.
    """
    if arguments.engine == LOCAL or arguments.dry_run:
        return None
    from ..cluster.ray_engine import RayEngine

    return partial(
        RayEngine,
        model,
        options,
        workers=arguments.workers,
        hashed=hashed,
        address=arguments.ray_address,
    )
