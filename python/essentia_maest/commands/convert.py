"""`maest convert`: model files out of checkpoints."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InvalidArgumentError
from .saying import ALL_DONE, complain, one_line_warnings


def add(commands: Any) -> None:
    """Add the sub-command `convert` to the parsers of `maest`."""
    parser = commands.add_parser(
        "convert",
        help="make a model file",
        usage="maest convert [options] SRC DST\n"
        "       maest convert --random-weights {tiny,base} [options] DST",
        description="Make a model file out of a public checkpoint, or one with random weights.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        metavar="SRC DST",
        help="MAEST checkpoint, Hugging Face folder, official ONNX file or model file in fp32; "
        "model file to write",
    )
    add("--precision", choices=("fp32", "int8"), default="fp32", help="default: %(default)s")
    add("--labels", metavar="FILE", help="names of the classes: JSON list, or one per line")
    add(
        "--random-weights",
        choices=("tiny", "base"),
        help="no SRC: an untrained model of this size, to try things out with",
    )
    add(
        "--sample",
        action="append",
        default=[],
        metavar="AUDIO",
        help="music that int8 is made with, and compared with fp32 on; may be given several times "
        "(default: the clip that ships with the package)",
    )
    add(
        "--lowest-cosine",
        type=float,
        metavar="C",
        help="refuse int8 if the mean cosine of its embeddings to those of fp32 is below "
        "(default: 0.99)",
    )
    parser.set_defaults(command="convert", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make a model file, and give the exit code."""
    wanted = 1 if arguments.random_weights else 2
    if len(arguments.files) != wanted:
        raise InvalidArgumentError(
            f"convert: {len(arguments.files)} file names found; wanted: "
            + ("DST alone with --random-weights" if wanted == 1 else "SRC and DST")
        )
    if arguments.random_weights and arguments.labels:
        raise InvalidArgumentError("convert: --labels has no use with --random-weights")
    compared = not arguments.random_weights and arguments.precision == "int8"
    if (arguments.sample or arguments.lowest_cosine is not None) and not compared:
        raise InvalidArgumentError(
            "convert: --sample and --lowest-cosine are for --precision int8 with SRC and DST"
        )
    destination = arguments.files[-1]

    from ..making.conversion import convert, convert_random
    from ..making.precision_check import LOWEST_COSINE

    with one_line_warnings():
        if arguments.random_weights:
            convert_random(arguments.random_weights, destination, precision=arguments.precision)
        else:
            convert(
                arguments.files[0],
                destination,
                precision=arguments.precision,
                labels=arguments.labels,
                samples=arguments.sample,
                lowest_cosine=(
                    LOWEST_COSINE if arguments.lowest_cosine is None else arguments.lowest_cosine
                ),
                report=lambda measured: complain(str(measured)),
            )
    complain(f"wrote {destination}")
    return ALL_DONE
