"""`maest bench`: how fast a model is on this machine, and how long a library will take."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgumentError
from .saying import ALL_DONE
from .surroundings import show

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from .benchmark import Benchmark
    from .library_benchmark import LibraryBenchmark


def add(commands: Any) -> None:
    """Add the sub-command `bench` to the parsers of `maest`."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast a model is on this machine, and how long a library takes",
        description="Measure how fast decoding, mel front end and model are on this machine; with "
        "PATH, how long `maest analyze` will take for what is there, from a few of its files.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="a library: what `maest analyze` takes")
    add(
        "--files",
        type=int,
        metavar="N",
        help="of the library, that are analysed for it (default: 20, or 4 for each CPU)",
    )
    add("--model", default="default", metavar="M", help="model file, or name from `maest models`")
    add("--audio", metavar="FILE", help="default: the clip that ships with the package")
    add("--threads", type=int, default=1, metavar="N", help="of one call; 0 is one per CPU")
    add("--block", type=int, metavar="N", help="of the embeddings (default: 7)")
    add("--rounds", type=int, default=3, metavar="N", help="the fastest counts (default: 3)")
    add("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="bench", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and give the exit code."""
    found = _of_library(arguments) if arguments.paths else _of_model(arguments)
    if arguments.json:
        show(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
    else:
        show("\n".join(found.lines()))
    return ALL_DONE


def _of_model(arguments: argparse.Namespace) -> Benchmark:
    from ..example import example_audio
    from .benchmark import run_benchmark

    if arguments.files is not None:
        raise InvalidArgumentError("--files is for a library; a PATH is wanted")
    return run_benchmark(
        arguments.model,
        example_audio() if arguments.audio is None else Path(arguments.audio),
        threads=arguments.threads,
        block=arguments.block,
        rounds=arguments.rounds,
    )


def _of_library(arguments: argparse.Namespace) -> LibraryBenchmark:
    from ..collection.scan import scan
    from .library_benchmark import bench_library

    if arguments.audio is not None:
        raise InvalidArgumentError("--audio is one file, PATH a library; one of both is wanted")
    found = scan(arguments.paths)
    if not found.tracks:
        raise InvalidArgumentError("no audio file in " + ", ".join(arguments.paths))
    return bench_library(arguments.model, found, files=arguments.files, block=arguments.block)
