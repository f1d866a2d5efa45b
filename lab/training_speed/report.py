"""Turns result files of `pytest lab/training_speed` into the tables of lab/README.md.

pytest lab/training_speed --benchmark-json=result.json
python -m lab.training_speed.report result.json...

Several files are of one machine, as when each case had a process of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: What every other entry of a group is compared with: the one with this word in its name.
REFERENCES = {"test_training_step": "reference", "test_reading": "npy_files"}


def rows(entries: list[dict[str, Any]], reference: str) -> list[str]:
    """One Markdown row per entry of a group: time, tracks a second, ratio to the reference's."""
    base = next((_seconds(e, "min") for e in entries if reference in e["name"]), None)
    table = [
        f"| {entries[0]['group']} | s, best | median | tracks a second | share of the machine's "
        f"matrix rate | GB on the GPU | times {reference.replace('_', ' ')} |",
        "|-|-|-|-|-|-|-|",
    ]
    for entry in entries:
        best, extra = _seconds(entry, "min"), entry["extra_info"]
        share, memory = extra.get("share_of_matrix_rate"), extra.get("peak_memory_gb")
        table.append(
            f"| {entry['name'].partition('[')[2].rstrip(']').replace('-', ', ')} | {best:.3g} "
            f"| {_seconds(entry, 'median'):.3g} | {extra['tracks_per_second']:.4g} "
            f"| {'' if share is None else format(share, '.2f')} "
            f"| {'' if memory is None else format(memory, '.1f')} "
            f"| {'' if base is None else format(base / best, '.2f')} |"
        )
    return table


def _seconds(entry: dict[str, Any], which: str) -> float:
    """Give the time of one step, where several were timed together."""
    return float(entry["stats"][which]) / int(entry["extra_info"].get("steps", 1))


def merged(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the entries of several result files together, as if one process had made them."""
    entries = [entry for result in results for entry in result["benchmarks"]]
    entries.sort(key=lambda entry: str(entry["group"]))
    return {"machine_info": results[0]["machine_info"], "benchmarks": entries}


def report(result: dict[str, Any]) -> str:
    """All tables, headed by the machine."""
    machine = result["machine_info"]
    cpu = machine.get("cpu", {})
    flags = {"avx2", "avx512f", "avx512_vnni", "avx_vnni"} & set(cpu.get("flags", ()))
    facts = [
        f"Machine: {cpu.get('brand_raw', machine['processor'])}, "
        f"{machine['cpus_usable']} CPUs usable, {', '.join(sorted(flags)) or 'no AVX2'}",
        *([machine["gpu"]] if "gpu" in machine else []),
        f"load {machine['load_before']:.1f} before the run",
        f"Python {machine['python_version']}, "
        + ", ".join(f"{name} {number}" for name, number in machine["packages"].items()),
    ]
    lines = ["; ".join(facts), ""]
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in result["benchmarks"]:
        if _kind(entry) in REFERENCES:  # others are not compared with anything
            groups.setdefault(entry["group"], []).append(entry)
    for entries in groups.values():
        lines += [*rows(entries, REFERENCES[_kind(entries[0])]), ""]
    return "\n".join(lines)


def _kind(entry: dict[str, Any]) -> str:
    return str(entry["name"]).partition("[")[0].removesuffix("_on_a_gpu")


if __name__ == "__main__":
    print(report(merged([json.loads(Path(name).read_text()) for name in sys.argv[1:]])))
