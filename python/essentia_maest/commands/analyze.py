"""`maest analyze`: audio files and folders into tables of results."""

from __future__ import annotations

import argparse
import os
import signal
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from .. import _core
from ..collection.options import (
    FILES,
    FORMATS,
    MIXED,
    OUTPUTS,
    AnalysisOptions,
    Shares,
    block_of,
    output_of,
)
from ..errors import InvalidArgumentError
from ..hearing import Mp3Error
from ..request import Request
from ..results.columns import VECTOR_TYPES
from . import engines
from .account import tell_account
from .saying import ALL_DONE, SOME_FAILED, STOPPED_EARLY, Terminated, complain, open_model
from .telling import counts, left_out, show_lines, tell_one, timings, track_line

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..collection.scan import Scan


def add(commands: Any) -> None:
    """Add the sub-command `analyze` to the parsers of `maest`."""
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
    add(
        "paths",
        nargs="*",
        metavar="PATH",
        help="audio file, folder to search through, quoted pattern such as 'music/**/*.flac', or "
        "URL (extra `remote`)",
    )
    add(
        "--from-file",
        action="append",
        default=[],
        metavar="LIST",
        help="analyse what a list names: a path a line or between NULs, or a playlist (.m3u, "
        ".m3u8); - is stdin",
    )
    add(
        "--hidden",
        action="store_true",
        help="search hidden folders, too (.name, @eaDir, #recycle, __MACOSX), and take ._ files",
    )
    add("--example", action="store_true", help="analyse the clip that ships with the package")
    add("-o", dest="results", required=True, metavar="OUT", help="folder, or URL, for the results")
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
        metavar="N",
        help=f"transformer block of the embeddings, from 1 (default: {asked.block}, or the last of "
        "a model with fewer)",
    )
    add(
        "--tokens",
        type=lambda text: tuple(text.split(",")),
        default=asked.tokens,
        metavar="T,T",
        help=f"what embeddings are made of, in this order (default: {','.join(asked.tokens)})",
    )
    add(
        "--head",
        dest="heads",
        action="append",
        default=[],
        metavar="HEAD.onnx",
        help="predict by this head, too, from the embeddings (see `maest head`); may be given "
        "several times. All tracks in OUT are predicted",
    )
    add(
        "--activation",
        choices=("sigmoid", "softmax", "none"),
        help="for heads whose output is logits: sigmoid (a track may have several labels) or "
        "softmax (it has one)",
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
    add(
        "--mp3-error",
        choices=get_args(Mp3Error),
        default=defaults.mp3_error,
        help="what samples of mp3 may be off by so that, with patchout in time, a little less of "
        "it is decoded (default: %(default)s)",
    )
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that decode (default: one per CPU); on a cluster, those that do everything",
    )
    add(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="tracks, or segments of one, computed at once (default: 0, one per CPU that this "
        "process may use)",
    )
    engines.add(add)
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
    add(
        "--dry-run",
        action="store_true",
        help="tell what would be analysed, and write nothing",
    )
    add(
        "--log",
        choices=("text", "json"),
        default="text",
        help="what is told on stderr: text, or a JSON object in each line (default: %(default)s)",
    )
    add("--quiet", action="store_true", help="print warnings and failures only")
    parser.set_defaults(command="analyze", run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyse what was asked for, and give the exit code."""
    options = _options(arguments)
    engines.check(arguments)
    shares = Shares.of(arguments.workers, arguments.threads)

    from ..collection.describe import untrained_warning
    from ..collection.progress import Lines, make_reporter
    from ..collection.runner import CollectionRun, threads_of_model
    from ..collection.sinks import make_sink
    from ..heads.run_heads import RunHeads

    heads = RunHeads(arguments.heads, arguments.activation, arguments.format)
    found = _found(arguments)
    sink = make_sink(
        arguments.format, arguments.results, arguments.embeddings, writes=not arguments.dry_run
    )
    if arguments.profile is not None:
        os.environ["ESSENTIA_MAEST_PROFILE"] = os.path.abspath(arguments.profile)
    model = open_model(arguments.model, threads_of_model(len(found.tracks), shares.threads))
    if arguments.output is None and (output := output_of(model)) != "both":
        complain(f"model '{model.name}' has {output} only: that is what is computed")
        options = options.with_output(output)
    if arguments.block is None:
        options = options.with_block(block_of(model))
    heads.check(model, options)
    lines = Lines(track_line, show_lines) if len(found.tracks) > 1 else None
    run = CollectionRun(
        model,
        options,
        sink,
        workers=shares.workers,
        threads=shares.threads,
        reporter=make_reporter(
            arguments.quiet,
            None if arguments.quiet else lines,
            events=arguments.log == "json",
        ),
        resume=arguments.resume,
        mixed=arguments.mixed,
        strict=arguments.strict,
        make_engine=engines.made(arguments, model, options, hashed=sink.hashes),
    )
    if not model.trained:
        complain(f"warning: {untrained_warning(model)}")
    if arguments.dry_run:
        from .dry_run import tell_plan

        tell_plan(found, *run.plan(found), workers=shares.workers, quiet=arguments.quiet)
        return ALL_DONE
    signal.signal(signal.SIGTERM, _terminate)
    report = run.run(found)
    if report.stopped:
        complain(f"stopped early: {report.stopped}")
    if not report.stopped:
        heads.apply(sink.path, options.top_k, (lambda text: None) if arguments.quiet else complain)
    if arguments.timings:
        complain(timings(report))
    if not arguments.quiet:
        complain(f"{counts(report)}; results in {sink.path}")
        if len(found.tracks) == 1 and not report.failures and not report.stopped:
            tell_one(sink.told(found.tracks[0]), heads.lines(sink.path, found.tracks[0]))
        if arguments.format != FILES and not report.stopped:
            tell_account(sink.path)
    if report.stopped:
        return STOPPED_EARLY
    return SOME_FAILED if report.failures else ALL_DONE


def _options(arguments: argparse.Namespace) -> AnalysisOptions:
    return AnalysisOptions.of(
        arguments.output or "both",
        block=Request().block if arguments.block is None else arguments.block,
        tokens=arguments.tokens,
        patchout=arguments.patchout,
        hop=arguments.hop,
        tail=arguments.tail,
        top_k=arguments.top_k,
        segments=arguments.segments,
        mp3_error=arguments.mp3_error,
    )


def _found(arguments: argparse.Namespace) -> Scan:
    """Find the tracks that are asked for; there is at least one."""
    from ..collection.lists import read_list
    from ..collection.scan import scan
    from ..example import example_audio

    paths = arguments.paths + ([os.fspath(example_audio())] if arguments.example else [])
    lists = arguments.from_file
    if not paths and not lists:
        raise InvalidArgumentError(
            "analyze: no PATH found; wanted one or more, --from-file or --example"
        )
    listed = [entry for source in lists for entry in read_list(source)]
    found = scan(paths, listed=listed, hidden=arguments.hidden)
    _check_found(found, paths + lists)
    if found.left_out:
        complain(left_out(found))
    return found


def _check_found(found: Scan, paths: list[str]) -> None:
    from ..collection.endings import audio_endings
    from ..decoding.paths import printable_path

    if found.tracks:
        return
    for path, reason in found.unreadable:
        complain(f"{printable_path(path)}: cannot be listed: {reason}")
    if found.left_out:
        complain(left_out(found))
    if found.skipped:
        complain(f"{len(found.skipped)} hidden files and folders skipped; --hidden takes them")
    raise InvalidArgumentError(
        f"no audio file in {', '.join(printable_path(path) for path in paths)} "
        f"(taken from folders: {' '.join(sorted(audio_endings()))})"
    )


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
