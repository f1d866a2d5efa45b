"""`maest bench`: how fast a model is on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from .saying import ALL_DONE
from .surroundings import show


def add(commands: Any) -> None:
    """Add the sub-command `bench` to the parsers of `maest`."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast a model is on this machine",
        description="Measure how fast decoding, mel front end and model are on this machine.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", default="default", metavar="M", help="model file, or name from `maest models`")
    add("--audio", metavar="FILE", help="default: the clip that ships with the package")
    add("--threads", type=int, default=1, metavar="N", help="of one call; 0 is one per CPU")
    add("--block", type=int, metavar="N", help="of the embeddings (default: 7)")
    add("--rounds", type=int, default=3, metavar="N", help="the fastest counts (default: 3)")
    add("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="bench", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and give the exit code."""
    from ..example import example_audio
    from .benchmark import run_benchmark

    found = run_benchmark(
        arguments.model,
        example_audio() if arguments.audio is None else Path(arguments.audio),
        threads=arguments.threads,
        block=arguments.block,
        rounds=arguments.rounds,
    )
    if arguments.json:
        show(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
    else:
        show("\n".join(found.lines()))
    return ALL_DONE
