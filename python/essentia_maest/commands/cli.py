"""The command ``maest``: its sub-commands and its exit codes. The work is done elsewhere.

Exit codes: 0 all done, 1 some files failed, 2 bad usage, 3 stopped early by the machine (a full
disk, no more processes, nowhere to print to), 130 and 143 interrupted and terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from .. import log
from ..collection.options import AnalysisOptions, Shares, output_of
from ..errors import (
    FetchError,
    InvalidArgumentError,
    MaestError,
    UntrainedModelWarning,
    ends_all_work,
    in_words,
)
from ..progress import tell
from ..reading.plain_text import printable
from .arguments import make_parser
from .models import run_fetch, run_models
from .surroundings import (
    drop_output,
    flush_output,
    open_standard_files,
    require_working_directory,
    show,
)

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..collection.outcomes import RunReport
    from ..collection.scan import Scan
    from ..model import Model

ALL_DONE, SOME_FAILED, BAD_USAGE, STOPPED_EARLY = 0, 1, 2, 3
_LINE_BREAK = "\n"
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


class _Terminated(KeyboardInterrupt):
    """SIGTERM: end as after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the command's name; None is this process's own.

    Returns
    -------
    int
        The exit code.

    Raises
    ------
    SystemExit
        Help and version were asked for (0), or the arguments cannot be parsed (2).
    """
    open_standard_files()
    try:
        parsed = _parsed(arguments)
        require_working_directory()
        with log.shown(everything=parsed.verbose):
            code = _COMMANDS[parsed.command](parsed)
        flush_output()
        return code
    except _Terminated:
        return _complain("terminated", TERMINATED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        drop_output()  # whoever read it has gone
        return SOME_FAILED
    except (MaestError, ImportError, OSError, RuntimeError, MemoryError) as error:
        if ends_all_work(error):
            return _complain(f"stopped early: {in_words(error)}", STOPPED_EARLY)
        if isinstance(error, RuntimeError):
            raise
        return _complain(str(error), BAD_USAGE)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return make_parser().parse_args(arguments)
    except SystemExit:
        flush_output()  # of help and version
        raise


def _analyze(arguments: argparse.Namespace) -> int:
    options = AnalysisOptions.of(
        arguments.output or "both",
        block=arguments.block,
        tokens=arguments.tokens,
        patchout=arguments.patchout,
        hop=arguments.hop,
        tail=arguments.tail,
        top_k=arguments.top_k,
        segments=arguments.segments,
    )
    shares = Shares.of(arguments.workers, arguments.threads)

    from ..collection.describe import untrained_warning
    from ..collection.progress import make_reporter
    from ..collection.runner import CollectionRun, threads_of_model
    from ..collection.scan import scan
    from ..collection.sinks import make_sink
    from ..example import example_audio

    paths = arguments.paths + ([os.fspath(example_audio())] if arguments.example else [])
    if not paths:
        raise InvalidArgumentError("analyze: no PATH found; wanted one or more, or --example")
    found = scan(paths)
    _check_found(found, paths)
    if found.left_out:
        _complain(_left_out(found))
    sink = make_sink(arguments.format, arguments.results, arguments.embeddings)
    if arguments.profile is not None:
        os.environ["ESSENTIA_MAEST_PROFILE"] = os.path.abspath(arguments.profile)
    model = _open(arguments.model, threads_of_model(len(found.tracks), shares.threads))
    if arguments.output is None and (output := output_of(model)) != "both":
        _complain(f"model '{model.name}' has {output} only: that is what is computed")
        options = options.with_output(output)
    run = CollectionRun(
        model,
        options,
        sink,
        workers=shares.workers,
        threads=shares.threads,
        reporter=make_reporter(arguments.quiet),
        resume=arguments.resume,
        mixed=arguments.mixed,
        strict=arguments.strict,
    )
    if not model.trained:
        _complain(f"warning: {untrained_warning(model)}")
    signal.signal(signal.SIGTERM, _terminate)
    report = run.run(found)
    if report.stopped:
        _complain(f"stopped early: {report.stopped}")
    if arguments.timings:
        _complain(_timings(report))
    if not arguments.quiet:
        _complain(f"{_counts(report)}; results in {sink.path}")
        if len(found.tracks) == 1 and not report.failures and not report.stopped:
            _tell(sink.told(found.tracks[0]))
    if report.stopped:
        return STOPPED_EARLY
    return SOME_FAILED if report.failures else ALL_DONE


def _check_found(found: Scan, paths: list[str]) -> None:
    from ..collection.scan import audio_endings
    from ..decoding.paths import printable_path

    if found.tracks:
        return
    for path, reason in found.unreadable:
        _complain(f"{printable_path(path)}: cannot be listed: {reason}")
    if found.left_out:
        _complain(_left_out(found))
    raise InvalidArgumentError(
        f"no audio file in {', '.join(printable_path(path) for path in paths)} "
        f"(taken from folders: {' '.join(sorted(audio_endings()))})"
    )


def _tell(result: dict[str, Any]) -> None:
    """Print the strongest labels of one track, family by family where there are several.

    They are in the files, too: who does not want to read them to the end misses nothing.
    """
    from ..reading.families import family_lines

    lines: list[str] = []
    if "families" in result:
        lines = family_lines(result["families"])
    elif "top" in result:
        lines = [f"{entry['label']} {entry['activation']:.2f}" for entry in result["top"]]
    if sys.stdout is None or not lines:
        return
    try:
        show("\n".join(map(printable, lines)))
        flush_output()
    except BrokenPipeError:
        drop_output()


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _counts(report: RunReport) -> str:
    parts = [f"{report.analyzed} analysed ({report.audio_seconds / 60:.1f} min of audio)"]
    if report.resumed:
        parts.append(f"{report.resumed} done before and left alone")
    if report.duplicates:
        parts.append(f"{report.duplicates} duplicates left out")
    parts.append(f"{len(report.failures)} failed")
    if report.flagged.counts:
        parts.append(f"{report.flagged} (named in summary.json)")
    return ", ".join(parts)


def _left_out(found: Scan) -> str:
    endings = sorted(found.left_out.items())
    listed = ", ".join(f"{len(files)} {ending}" for ending, files in endings)
    return f"warning: files left out, which no decoder here reads: {listed} (named in summary.json)"


def _timings(report: RunReport) -> str:
    seconds = report.seconds
    return (
        f"timings: decode {seconds.decode:.2f} s, front end {seconds.front_end:.2f} s, "
        f"model {seconds.model:.2f} s, writing {seconds.writing:.2f} s "
        "(summed over processes and threads)"
    )


def _convert(arguments: argparse.Namespace) -> int:
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

    with _one_line_warnings():
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
                report=lambda measured: _complain(str(measured)),
            )
    _complain(f"wrote {destination}")
    return ALL_DONE


def _info(arguments: argparse.Namespace) -> int:
    from ..origin import provenance, provenance_lines

    model = _open(arguments.model, threads=1)
    described = _describe(model)
    here = provenance(model)
    if arguments.json:
        show(json.dumps({**described, "provenance": here}, indent=1, ensure_ascii=False))
    else:
        described |= provenance_lines(here)
        width = max(map(len, described))
        for key, value in described.items():
            shown = "NO (random weights)" if value is False else value
            show(f"{key.replace('_', ' '):{width}}  {printable(str(shown))}")
    return ALL_DONE


def _bench(arguments: argparse.Namespace) -> int:
    from ..example import example_audio
    from .bench import run_benchmark

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


def _models(arguments: argparse.Namespace) -> int:
    run_models(_complain)
    return ALL_DONE


def _fetch(arguments: argparse.Namespace) -> int:
    try:
        with _one_line_warnings():
            run_fetch(arguments, _complain)
    except FetchError as error:
        if ends_all_work(error):
            raise
        return _complain(str(error), SOME_FAILED)
    return ALL_DONE


def _open(name: str, threads: int) -> Model:
    from ..model import Model

    with warnings.catch_warnings():
        # Said by us, in one line, where somebody will see it.
        warnings.simplefilter("ignore", UntrainedModelWarning)
        return Model(name, num_threads=threads)


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default", UserWarning)
        yield
    for warning in caught:
        _complain(f"warning: {warning.message}")


def _describe(model: Model) -> dict[str, Any]:
    from ..collection.describe import describe_model

    described = describe_model(model)
    info = model._info  # what the model file says of itself
    return {
        "name": described["name"],
        "trained": described["trained"],
        "labels": len(model.labels),
        "segment_seconds": model.segment_seconds,
        "hop_seconds": model.hop_seconds,
        "depth": model.depth,
        "dim": model.dim,
        "precision": described["precision"],
        "licence": info.license,
        "source": info.source,
        "source_sha256": info.source_sha256,
        "file": described["path"],
        "file_bytes": model.path.stat().st_size,
        "file_sha256": described["sha256"],
    }


def _complain(text: str, code: int = ALL_DONE) -> int:
    """Print a line on stderr, where results never go."""
    # Messages quote what files say of themselves.
    tell(f"maest: {printable(text, keep=_LINE_BREAK)}")
    return code


_COMMANDS = {
    "analyze": _analyze,
    "bench": _bench,
    "convert": _convert,
    "fetch": _fetch,
    "info": _info,
    "models": _models,
}
