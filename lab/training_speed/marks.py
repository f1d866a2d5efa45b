"""`python -m lab training speed`: training steps on this machine, beside the marks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from essentia_maest import _core
from essentia_maest.errors import InvalidArgumentError
from essentia_maest.files import write_whole
from essentia_maest.machine import machine, versions

SHARE, HOURS = 0.5, 5.0
"""The marks: of the matrix rate, for a compiled step; for the paper's training."""
TRACKS = 130 * 200_000
"""What the paper's training takes."""
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 240.0
"""Seconds of a case at most: a compilation that hangs costs no other case."""


@dataclass(frozen=True)
class Planned:
    """A case to be measured.

    Parameters
    ----------
    name : str
        Its row.
    kind : {"step", "fit"}
    case : mapping
        Values of `steps.Case`.
    marked : bool
        The marks are meant for it.
    more : mapping
        What else `one_case` wants to know.
    """

    name: str
    kind: Literal["step", "fit"]
    case: Mapping[str, Any]
    marked: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


def gpu_cases() -> list[Planned]:
    """List what is measured on a GPU, the most wanted first."""

    def step(peer: str, seconds: int, tracks: int, **more: Any) -> Planned:
        case = {
            "peer": peer,
            "seconds": seconds,
            "tracks": tracks,
            "device": "cuda",
            "precision": "bfloat16",
            **more,
        }
        kind = f", float32, {_FLOAT32[more['matmul_precision']]}" if "precision" in more else ""
        return Planned(
            f"{seconds} s, {tracks} tracks, {peer}{kind}",
            "step",
            case,
            marked=not kind and peer not in ("eager", "reference"),
            more={"rounds": 10},
        )

    def whole(peer: str, seconds: int, tracks: int) -> Planned:
        found = step(peer, seconds, tracks)
        more = {"steps": 40, "workers": min(16, _core.available_cpus())}
        return Planned(f"{found.name}, whole `fit`", "fit", found.case, marked=True, more=more)

    sizes = ((30, 48), (10, 192), (10, 48))
    cases = [step("compiled", *size) for size in sizes]
    cases += [step("narrow", *size) for size in sizes]
    cases += [whole("narrow", 30, 48), whole("narrow", 10, 192)]
    cases += [step(mode, 30, 48) for mode in ("graphs", "autotuned")]
    cases += [step("graphs", 10, 48), step("narrow graphs", 10, 48), step("narrow", 30, 96)]
    cases += [
        step("compiled", 30, 48, precision="float32", matmul_precision=precision)
        for precision in ("high", "highest")
    ]
    return [*cases, step("eager", 30, 48), step("reference", 30, 48)]


_FLOAT32 = {"high": "TF32", "highest": "no TF32"}


def dry_cases() -> list[Planned]:
    """List the same kinds of case in a size that any CPU does in a minute."""
    case = {"seconds": 10, "tracks": 2, "device": "cpu", "precision": "float32", "size": "tiny"}
    return [
        Planned("10 s, 2 tracks, eager", "step", {**case, "peer": "eager"}, more={"rounds": 2}),
        Planned(
            "10 s, 2 tracks, compiled",
            "step",
            {**case, "peer": "compiled"},
            marked=True,
            more={"rounds": 2},
        ),
        Planned(
            "10 s, 2 tracks, eager, whole `fit`",
            "fit",
            {**case, "peer": "eager"},
            more={"steps": 4, "workers": 1},
        ),
    ]


def training_speed(
    output: Path, *, dry: bool = False, minutes: float = 8.0, only: tuple[str, ...] = ()
) -> Path:
    """Measure training steps and whole runs on the GPU here, beside the marks.

    A base MAEST with the paper's patchout and 400 classes: steps alone (forward and backward pass,
    optimizer) by several ways to compile, float32 with and without TF32, and whole runs of `fit`.
    Each case has a process of its own; one that fails or hangs is told of and costs no other.

    Parameters
    ----------
    output : path
        Folder for ``training_speed.md`` and ``training_speed.json``.
    dry : bool
        Take a tiny network on the CPU: shows that the command works, and measures nothing.
    minutes : float
        After which no further case begins; the most wanted come first.
    only : tuple of str
        Names of cases, as they stand in the table, where not all are wanted; in this order.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    OSError
        There is no GPU, and no dry run was asked for.
    InvalidArgumentError
        There is no case of such a name.
    """
    planned_cases = _chosen(dry_cases() if dry else gpu_cases(), only)
    if not dry and not torch.cuda.is_available():
        raise OSError("no GPU here that torch can use; --dry true tries the command on the CPU")
    began = time.monotonic()
    found: list[tuple[Planned, dict[str, Any]]] = []
    for planned in planned_cases:
        left = 60 * minutes - (time.monotonic() - began)
        if left <= 0:
            found.append((planned, {"error": "not begun: the time was over"}))
            continue
        print(planned.name, file=sys.stderr, flush=True)
        found.append((planned, _measured(planned, min(_LONGEST, left))))
    where = f"{machine()}. {versions()}."
    if torch.cuda.is_available():
        where = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}. {where}"
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    told = [{"name": planned.name, **result} for planned, result in found]
    write_whole(output / "training_speed.json", json.dumps(told, indent=1) + "\n")
    path = output / "training_speed.md"
    write_whole(path, page(found, where, dry=dry))
    return path


def _chosen(cases: Sequence[Planned], only: Sequence[str]) -> list[Planned]:
    by_name = {case.name: case for case in cases}
    unknown = [name for name in only if name not in by_name]
    if unknown:
        raise InvalidArgumentError(f"no case {unknown[0]!r}; there are: {'; '.join(by_name)}")
    return [by_name[name] for name in only] or list(cases)


def _measured(planned: Planned, seconds: float) -> dict[str, Any]:
    """Run a case in a process of its own; gives what it measured, or why it did not."""
    asked = json.dumps({"kind": planned.kind, "case": dict(planned.case), **planned.more})
    paths = [str(_ROOT), str(_ROOT / "tests" / "python"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "lab.training_speed.one_case", asked]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {seconds:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"error": last}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def page(
    found: Sequence[tuple[Planned, Mapping[str, Any]]], where: str, *, dry: bool = False
) -> str:
    """Write the page.

    Parameters
    ----------
    found : sequence of pairs
        Cases, and what `one_case` said of them, or ``{"error": why not}``.
    where : str
        Machine and versions.
    dry : bool
        The numbers mean nothing.
    """
    lines = [
        "# Training speed, beside the marks",
        "",
        *(["A dry run: a tiny network on a CPU. Its numbers say nothing.", ""] if dry else []),
        f"`python -m lab training speed OUTPUT{' --dry true' if dry else ''}`: MAEST with the "
        "paper's patchout, 400 classes, AdamW; each case in a process of its own. Steps: forward "
        "and backward pass and optimizer, the GPU waited for after every fifth. `fit`: reading, "
        "sampling, mixup and masks besides, the second epoch. The mark is "
        f"{SHARE} of the rate of one large matrix product in the same process, and {HOURS:g} h "
        "for the paper's 130 epochs of 200,000 tracks.",
        "",
        "| | s, best | median | tracks a second | share of the matrix rate | GB on the GPU "
        "| 130 epochs of 200,000 tracks | beside the marks |",
        "|-|-|-|-|-|-|-|-|",
    ]
    lines += [_row(planned, result) for planned, result in found]
    return "\n".join([*lines, "", f"Machine: {where}", ""])


def _row(planned: Planned, result: Mapping[str, Any]) -> str:
    if "error" in result:
        return f"| {planned.name} | {result['error'].replace('|', '/')} | | | | | | |"
    best, share = result["best"], result["share"]
    rate = int(planned.case["tracks"]) / best
    hours, memory = TRACKS / rate / 3600, result["memory"]
    cells = [
        planned.name,
        f"{best:.3g}",
        f"{result['median']:.3g}",
        f"{rate:,.4g}" if rate < 1000 else f"{rate:,.0f}",
        f"{share:.2f}",
        "" if memory is None else f"{memory:.1f}",
        f"{hours:.1f} h",
        _verdict(share, hours) if planned.marked else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _verdict(share: float, hours: float) -> str:
    missed = []
    if share < SHARE:
        missed.append(f"{SHARE / share - 1:.0%} too slow for the rate")
    if hours > HOURS:
        missed.append(f"{hours / HOURS - 1:.0%} too slow for {HOURS:g} h")
    return "; ".join(missed) or "reached"
