"""What the command ``maest`` accepts: arguments, their help and their defaults."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from .. import _core
from ..collection.options import FORMATS, MIXED, OUTPUTS, AnalysisOptions
from ..request import Request
from ..results.columns import VECTOR_TYPES
from .models import add_fetch, add_models
from .surroundings import show


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command ``maest``.

    Returns
    -------
    argparse.ArgumentParser
        What it parses has the sub-command's name as `command`, beside its arguments.
    """
    parser = argparse.ArgumentParser(
        prog="maest",
        description="Music embeddings and tags with MAEST models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_analyze(commands)
    _add_convert(commands)
    _add_info(commands)
    _add_bench(commands)
    add_fetch(commands)
    add_models(commands)
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


def _add_analyze(commands: Any) -> None:
    parser = commands.add_parser(
        "analyze",
        help="analyse audio files and folders",
        description="Analyse audio files, and those in folders, into tables (Parquet) of tracks, "
        "segments and failures. Exit code: 0 all done, 1 some files failed, 2 bad usage, 3 stopped "
        "early (a full disk, no more processes).",
        allow_abbrev=False,
    )
    defaults, asked = AnalysisOptions(), Request()
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="audio file, or folder to search through")
    add("--example", action="store_true", help="analyse the clip that ships with the package")
    add("-o", dest="results", required=True, metavar="OUT", help="folder for the results")
    add(
        "--format",
        choices=FORMATS,
        default=FORMATS[0],
        help="tables, JSON and .npy files for each track, or tables and sheets made of them "
        "(default: %(default)s)",
    )
    add(
        "--embeddings",
        choices=VECTOR_TYPES,
        default=VECTOR_TYPES[0],
        help="what embeddings are kept in, in tables (default: %(default)s)",
    )
    add("--model", default="default", metavar="M", help="model file, or name from `maest models`")
    add(
        "--output",
        choices=OUTPUTS,
        help="what to compute (default: both, or what the model has of it)",
    )
    add(
        "--block",
        type=int,
        default=asked.block,
        metavar="N",
        help="transformer block of the embeddings, from 1 (default: %(default)s)",
    )
    add(
        "--tokens",
        type=lambda text: tuple(text.split(",")),
        default=asked.tokens,
        metavar="T,T",
        help=f"what embeddings are made of, in this order (default: {','.join(asked.tokens)})",
    )
    add(
        "--patchout",
        default=asked.patchout,
        metavar="FnTn",
        help="patches to leave out for speed, such as F3T2 (default: %(default)s, none)",
    )
    add(
        "--hop",
        type=float,
        metavar="S",
        help="seconds between the starts of segments (default: the model's own)",
    )
    add(
        "--tail",
        choices=_core.TAILS,
        default=asked.tail,
        help="what happens to samples after the last full segment (default: %(default)s)",
    )
    add(
        "--top-k",
        type=int,
        default=defaults.top_k,
        metavar="K",
        help="labels named per segment and track (default: %(default)s)",
    )
    add(
        "--segments",
        type=int,
        metavar="N",
        help="compute only N segments of each track, spread evenly over it (default: all)",
    )
    add("--workers", type=int, metavar="N", help="processes that decode (default: one per CPU)")
    add(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="tracks, or segments of one, computed at once (default: 0, one per CPU that this "
        "process may use)",
    )
    add("--resume", action="store_true", help="leave alone what the same model and options did")
    add(
        "--mixed",
        choices=MIXED,
        default=MIXED[0],
        help="with --resume, results that other kernels, another ONNX Runtime or other decoders "
        "made: keep them and say so, redo them, or refuse to go on (default: %(default)s)",
    )
    add(
        "--strict",
        action="store_true",
        help="truncated and damaged files fail, rather than being kept and marked",
    )
    add(
        "--timings",
        action="store_true",
        help="tell at the end how long decoding, front end, model and writing took",
    )
    add(
        "--profile",
        metavar="PREFIX",
        help="have ONNX Runtime write what each operator took to PREFIX_TIME.json",
    )
    add("--quiet", action="store_true", help="print warnings and failures only")
    parser.set_defaults(command="analyze")


def _add_convert(commands: Any) -> None:
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
        help="music that int8 is compared with fp32 on; may be given several times (default: the "
        "clip that ships with the package)",
    )
    add(
        "--lowest-cosine",
        type=float,
        metavar="C",
        help="refuse int8 if the mean cosine of its embeddings to those of fp32 is below "
        "(default: 0.99)",
    )
    parser.set_defaults(command="convert")


def _add_info(commands: Any) -> None:
    parser = commands.add_parser("info", help="describe a model file", allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", help="model file, or name from `maest models`")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(command="info")


def _add_bench(commands: Any) -> None:
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
    parser.set_defaults(command="bench")
