"""`python -m lab torture`: everything that the product is to withstand, done to it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from essentia_maest.files import write_json, write_whole
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tell
from lab.torture.figures import Figures
from lab.torture.parts import PARTS, Part
from lab.torture.tables import page
from lab.torture.work import Work

ALL_ZERO, FAULTS, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
_RESULTS, _PAGE = "torture.json", "torture.md"


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
    results: dict[str, Any] = {
        "machine": {"description": machine(), "versions": versions()},
        "seed": chosen.seed,
        "short": chosen.short,
        "parts": {},
        "absent": [],
    }
    if chosen.resume:
        results["parts"] = _done_before(output / _RESULTS, results)
    try:
        _run(parts, results, output, chosen)
    except KeyboardInterrupt:
        return complain(
            "interrupted: --resume goes on with the parts that are missing", INTERRUPTED
        )
    print(page(results))
    return FAULTS if any(Figures.from_json(one).faults for one in results["parts"].values()) else 0


def _add_arguments(parser: Any) -> None:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    add = parser.add_argument
    add("-o", "--output", default="results/torture", help=f"folder for {_RESULTS} and {_PAGE}")
    add("--seed", type=int, default=0, help="another one tries other things")
    add("--short", action="store_true", help="the form that is part of the tests, five minutes")
    add("--minutes", type=float, help="no try begins later; each part has its share")
    add(
        "--only", action="append", default=[], metavar="PART[:N]",
        help="only this part (may be given again), or only its try N, to see it again",
    )  # fmt: skip
    add("--resume", action="store_true", help="leave parts alone that the same seed did before")
    add("--list", action="store_true", help="name the parts")
    add("--keep", action="store_true", help="leave everything that was made; else only of faults")
    add("--cache", default=str(Path(base) / "essentia-maest" / "torture"), help="packages, builds")


def _run(
    parts: Sequence[tuple[Part, Sequence[int] | None]],
    results: dict[str, Any],
    output: Path,
    chosen: argparse.Namespace,
) -> None:
    begun = time.monotonic()
    end = begun + 60 * chosen.minutes if chosen.minutes else float("inf")
    waiting = [one for one in parts if one[0].name not in results["parts"]]
    for number, (part, only) in enumerate(waiting):
        shares = sum(one.share for one, _ in waiting[number:])
        now = time.monotonic()
        folder = output / "work" / part.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        told: list[str] = []
        work = Work(
            part.name, chosen.seed, folder, Path(chosen.cache).absolute(), chosen.short,
            now + (end - now) * part.share / shares if chosen.minutes else end, only,
            _teller(told),
        )  # fmt: skip
        tell(f"{part.name}: {part.title}")
        figures = _figures_of(part, work)
        results["parts"][part.name] = {**figures.as_json(), "seconds": time.monotonic() - now}
        results["absent"] += told
        results["machine"]["load_after"] = os.getloadavg()[0]
        write_json(output / _RESULTS, results)
        write_whole(output / _PAGE, page(results))
        tell(f"{part.name}: {figures.inputs} inputs, {figures.faults} faults")
        if not figures.faults and not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _teller(absent: list[str]) -> Callable[[str], object]:
    """Tell how far a part is, and keep what it says is missing."""

    def told(line: str) -> None:
        tell(line)
        if " is not here" in line or " cannot be " in line or "over after" in line:
            absent.append(line)

    return told


def _figures_of(part: Part, work: Work) -> Figures:
    try:
        return part.do(work)
    except Exception as error:  # the other parts are worth having
        figures = Figures()
        figures.fault("untold", f"the part itself failed: {type(error).__name__}: {error}")
        return figures


def _chosen_parts(only: Sequence[str], short: bool) -> list[tuple[Part, Sequence[int] | None]]:
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


def _done_before(path: Path, results: Mapping[str, Any]) -> dict[str, Any]:
    try:
        before = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    same = all(before.get(name) == results[name] for name in ("seed", "short"))
    return dict(before["parts"]) if same else {}


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
