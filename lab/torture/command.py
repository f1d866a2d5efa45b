"""`python -m lab torture`: everything that the product is to withstand, done to it."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from essentia_maest.progress import tell
from lab.torture.figures import Figures
from lab.torture.outcome import Outcome, faults_in, teller
from lab.torture.parts import PARTS, Part
from lab.torture.side_by_side import side_by_side
from lab.torture.tables import page
from lab.torture.work import Work

ALL_ZERO, FAULTS, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

_Chosen = tuple[Part, Sequence[int] | None]
"""A part, and its tries if not all are wanted."""


def torture(parser: Any, arguments: Sequence[str], complain: Callable[[str, int], int]) -> int:
    """Run the command.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Gets the arguments.
    arguments : sequence of str
        What follows the command's name.
    complain : callable
        Prints a line and gives the exit code back.

    Returns
    -------
    int
        0: all figures but the inputs are zero; 1: some are not; 2: bad usage; 130: interrupted,
        what was done is kept.
    """
    # A shell starts background jobs with SIGINT ignored, and the runs would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    _add_arguments(parser)
    chosen = parser.parse_args(list(arguments))
    try:
        parts = _chosen_parts(chosen.only, chosen.short)
    except ValueError as error:
        return complain(str(error), BAD_USAGE)
    if chosen.list:
        for part, _ in parts:
            print(f"{part.name}: {part.title}")
        return ALL_ZERO
    output = Path(chosen.output).absolute()
    output.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(output, chosen.seed, chosen.short)
    if not chosen.resume:
        outcome.forget()
    done = outcome.read()["parts"] if chosen.resume else {}
    waiting = [one for one in parts if one[0].name not in done]
    try:
        if chosen.jobs > 1 and len(waiting) > 1:
            _share_out(waiting, chosen)
        else:
            _run(waiting, outcome, output, chosen)
    except KeyboardInterrupt:
        return complain(
            "interrupted: --resume goes on with the parts that are missing", INTERRUPTED
        )
    results = outcome.read()
    if not chosen.quiet:
        print(page(results))
    missing = {part.name for part, _ in parts} - results["parts"].keys()
    return FAULTS if faults_in(results) or missing else ALL_ZERO


def _add_arguments(parser: Any) -> None:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    add = parser.add_argument
    add("-o", "--output", default="results/torture", help="folder for torture.json and torture.md")
    add("--seed", type=int, default=0, help="another one tries other things")
    add("--short", action="store_true", help="the form that is part of the tests, five minutes")
    add("--minutes", type=float, help="no try begins later; each part has its share")
    add(
        "--only", action="append", default=[], metavar="PART[:N]",
        help="only this part (may be given again), or only its try N, to see it again",
    )  # fmt: skip
    add("--resume", action="store_true", help="leave parts alone that the same seed did before")
    add("--jobs", type=int, default=2, help="parts at the same time (default: %(default)s)")
    add("--quiet", action="store_true", help="do not print the table")
    add("--list", action="store_true", help="name the parts")
    add("--keep", action="store_true", help="leave everything that was made; else only of faults")
    add("--cache", default=str(Path(base) / "essentia-maest" / "torture"), help="packages, builds")


def _share_out(waiting: Sequence[_Chosen], chosen: argparse.Namespace) -> None:
    words = ["-o", chosen.output, "--seed", str(chosen.seed), "--cache", chosen.cache]
    words += ["--resume", "--quiet", *["--short"] * chosen.short, *["--keep"] * chosen.keep]
    whole = sum(part.share for part, _ in waiting)
    commands = []
    for part, only in sorted(waiting, key=lambda one: -one[0].share):
        command = list(words)
        if chosen.minutes:  # as many minutes as there are, at each of the jobs
            minutes = chosen.minutes * chosen.jobs * part.share / whole
            command += ["--minutes", str(min(minutes, chosen.minutes))]
        names = [f"{part.name}:{number}" for number in only] if only else [part.name]
        for name in names:
            command += ["--only", name]
        commands.append(command)
    side_by_side(commands, chosen.jobs)


def _run(
    waiting: Sequence[_Chosen], outcome: Outcome, output: Path, chosen: argparse.Namespace
) -> None:
    begun = time.monotonic()
    end = begun + 60 * chosen.minutes if chosen.minutes else float("inf")
    for number, (part, only) in enumerate(waiting):
        shares = sum(one.share for one, _ in waiting[number:])
        now, cpu = time.monotonic(), _cpu_seconds()
        folder = output / "work" / part.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        absent: list[str] = []
        work = Work(
            part.name, chosen.seed, folder, Path(chosen.cache).absolute(), chosen.short,
            now + (end - now) * part.share / shares if chosen.minutes else end, only,
            teller(tell, absent),
        )  # fmt: skip
        tell(f"{part.name}: {part.title}")
        figures = _figures_of(part, work)
        outcome.keep(
            part.name, figures, seconds=time.monotonic() - now, cpu_seconds=_cpu_seconds() - cpu,
            absent=absent,
        )  # fmt: skip
        tell(f"{part.name}: {figures.inputs} inputs, {figures.faults} faults")
        if not figures.faults and not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _cpu_seconds() -> float:
    """Give what this process and those that it waited for took."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _figures_of(part: Part, work: Work) -> Figures:
    try:
        return part.do(work)
    except Exception as error:  # the other parts are worth having
        figures = Figures()
        figures.fault("untold", f"the part itself failed: {type(error).__name__}: {error}")
        return figures


def _chosen_parts(only: Sequence[str], short: bool) -> list[_Chosen]:
    if not only:
        return [(part, None) for part in PARTS if part.short or not short]
    by_name = {part.name: part for part in PARTS}
    tries: dict[str, list[int]] = {}
    for word in only:
        name, colon, number = word.partition(":")
        if name not in by_name or (colon and not number.isdecimal()):
            raise ValueError(f"no part {word!r}; wanted {', '.join(by_name)}, each with :N or not")
        tries.setdefault(name, []).extend([int(number)] if colon else [])
    return [(by_name[name], numbers or None) for name, numbers in tries.items()]


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
