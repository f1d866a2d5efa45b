"""Measures this engine and its peers, in turn: `python -m lab.peers --help`."""

from __future__ import annotations

import argparse
import fnmatch
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from essentia_maest.files import write_json, write_whole
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tell
from lab.peers.definitions import Peer, Study
from lab.peers.environments import python_of
from lab.peers.figure import draw
from lab.peers.materials import Materials
from lab.peers.plan import FASTEST, WHOLE, Plan
from lab.peers.process import PeerProcess
from lab.peers.results import marks_as_json, study_as_json
from lab.peers.resuming import (
    ResumeError,
    engine_digest,
    has_all,
    measured_before,
    with_peers_of,
)
from lab.peers.rounds import run_study
from lab.peers.sizes import PATCHOUTS, SIZES
from lab.peers.studies import studies
from lab.peers.tables import report

_PROGRAMS = "lab.peers.programs"
_TIMEOUT = 1200.0
_ROUNDS, _QUICK_ROUNDS = 7, 3
_TEN_HOURS = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: all measured; 1: some peers could not be; 2: bad usage; 130: interrupted, what was done
        is kept.
    """
    # Both end the peers on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        tell("interrupted: --resume goes on with the studies that are missing")
        return 130
    except ResumeError as error:
        tell(f"error: {error}")
        return 2


def _run(arguments: Sequence[str] | None) -> int:
    chosen = _arguments(arguments)
    plan = _plan(chosen)
    planned = {study.name: study for study in studies(plan)}
    wanted = [part for study in planned.values() if (part := _narrowed(study, chosen.only))]
    if not wanted:
        tell(f"error: no study or peer is {', '.join(chosen.only)}; --list names them")
        return 2
    if chosen.list:
        for study in wanted:
            print(f"{study.name}: {study.title}")
            print("".join(f"    {peer.name}\n" for peer in study.peers), end="")
        return 0
    chosen.output.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {
        "machine": {"description": machine(), "versions": versions(), "engine": engine_digest()},
        "size": plan.size.as_json(),
        "rounds": chosen.rounds,
        "command": sys.argv[1:] if arguments is None else list(arguments),
        "studies": [],
    }
    before = measured_before(chosen.output / "peers.json", results) if chosen.resume else []
    materials = Materials(
        chosen.cache,
        plan.size,
        {
            "few_tracks": plan.few_tracks,
            "many_tracks": plan.many_tracks,
            "track_seconds": plan.track_seconds,
            "durations": list(plan.durations),
        },
    )

    def start(peer: Peer, cpus: Sequence[int]) -> PeerProcess:
        folders = {name: str(materials.folder(name)) for name in peer.material}
        options = {
            name: value.format(**folders) if isinstance(value, str) else value
            for name, value in peer.options.items()
        }
        return PeerProcess(
            python_of(peer.environment, chosen.cache),
            f"{_PROGRAMS}.{peer.program}",
            {**options, "threads": len(cpus)},
            cpus=cpus,
            timeout=_TIMEOUT,
        )

    by_name = {study["name"]: study for study in before}
    for study in wanted:
        kept = by_name.get(study.name)
        if kept is None or not has_all(kept, study):
            asked = with_peers_of(kept, study, planned[study.name]) if kept else study
            measured = run_study(asked, start, rounds=chosen.rounds, tell=tell)
            by_name[study.name] = study_as_json(asked, measured)
        else:  # marks may have changed since
            by_name[study.name] = {
                **kept,
                "marks": marks_as_json(planned[study.name], kept["rows"]),
            }
        # in the order of the plan, then what an earlier plan had
        names = dict.fromkeys([*planned, *by_name])
        results["studies"] = [by_name[name] for name in names if name in by_name]
        results["machine"]["load_after"] = os.getloadavg()[0]
        _write(results, chosen.output)
    print(report(results))
    return int(any(peer["reason"] for study in results["studies"] for peer in study["peers"]))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    parser = argparse.ArgumentParser(prog="python -m lab.peers", description=__doc__)
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("results/peers"),
        help="folder for peers.json, peers.md and peers.png (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="STUDY[:PEER]",
        help="only these studies and peers, as 'embedding-1' or 'embedding-*:ours*'; see --list",
    )  # fmt: skip
    parser.add_argument(
        "--quick", action="store_true",
        help="fewer rounds, patchouts and files; full also analyses a file of ten hours",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="measure only the studies that the output folder lacks; refused if what it has is of "
        "another machine, software or number of rounds; peers that failed are not tried again",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the studies and their peers")
    parser.add_argument(
        "--patchouts", nargs="+", choices=PATCHOUTS, metavar="PATCHOUT",
        help=f"only these of {', '.join(PATCHOUTS)}, and {WHOLE}, which all is compared with",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help=f"({_ROUNDS}, quick {_QUICK_ROUNDS})")
    parser.add_argument("--threads", type=int, nargs="+", help="CPUs of a peer (1 2)")
    parser.add_argument(
        "--size", choices=SIZES, default="base", help="tiny is to try the command out"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(base) / "essentia-maest" / "peers",
        help="folder for environments, models and sound, some 8 GB (%(default)s)",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    chosen.rounds = chosen.rounds or (_QUICK_ROUNDS if chosen.quick else _ROUNDS)
    usable = len(os.sched_getaffinity(0))
    chosen.threads = chosen.threads or ([1] if chosen.quick or usable < 2 else [1, 2])
    if chosen.rounds < 1 or not all(1 <= count <= usable for count in chosen.threads):
        parser.error(f"wanted 1 round or more, and 1 to {usable} threads")
    chosen.cache = chosen.cache.absolute()
    return chosen


def _plan(chosen: argparse.Namespace) -> Plan:
    plan = Plan(SIZES[chosen.size], threads=tuple(chosen.threads))
    if chosen.quick:
        plan = replace(plan, patchouts=(WHOLE, "F3T2", FASTEST), few_tracks=2, many_tracks=12)
    else:
        plan = replace(plan, durations=(*plan.durations, _TEN_HOURS))
    if chosen.patchouts:
        wanted = {WHOLE, *chosen.patchouts}
        plan = replace(plan, patchouts=tuple(name for name in PATCHOUTS if name in wanted))
    return plan


def _narrowed(study: Study, only: Sequence[str]) -> Study | None:
    """Give the part of a study that was asked for; the reference always stays."""
    if not only:
        return study
    kept = []
    for peer in study.peers:
        for pattern in only:
            of_study, _, of_peer = pattern.partition(":")
            if fnmatch.fnmatch(study.name, of_study) and fnmatch.fnmatch(peer.name, of_peer or "*"):
                kept.append(peer)
                break
    if not kept:
        return None
    needed = {study.reference[0]}
    peers = tuple(peer for peer in study.peers if peer in kept or peer.name in needed)
    return replace(study, peers=peers)


def _write(results: dict[str, Any], folder: Path) -> None:
    write_json(folder / "peers.json", results)
    write_whole(folder / "peers.md", report(results))
    draw(results["studies"], folder / "peers.png")


if __name__ == "__main__":
    raise SystemExit(main())
