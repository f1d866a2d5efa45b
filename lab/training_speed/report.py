"""Turns a result file of `pytest lab/training_speed` into the tables of lab/README.md.

pytest lab/training_speed --benchmark-json=result.json
python -m lab.training_speed.report result.json
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
    base = next(e["stats"]["min"] for e in entries if reference in e["name"])
    table = [
        f"| {entries[0]['group']} | s, best | median | tracks a second | share of the machine's "
        f"matrix rate | GB on the GPU | times {reference.replace('_', ' ')} |",
        "|-|-|-|-|-|-|-|",
    ]
    for entry in entries:
        best, extra = entry["stats"]["min"], entry["extra_info"]
        share, memory = extra.get("share_of_matrix_rate"), extra.get("peak_memory_gb")
        table.append(
            f"| {entry['name'].partition('[')[2].rstrip(']').replace('-', ', ')} | {best:.3g} "
            f"| {entry['stats']['median']:.3g} | {extra['tracks_per_second']:.4g} "
            f"| {'' if share is None else format(share, '.2f')} "
            f"| {'' if memory is None else format(memory, '.1f')} | {base / best:.2f} |"
        )
    return table


def report(result: dict[str, Any]) -> str:
    """All tables, headed by the machine."""
    machine = result["machine_info"]
    cpu = machine.get("cpu", {})
    flags = {"avx2", "avx512f", "avx512_vnni", "avx_vnni"} & set(cpu.get("flags", ()))
    lines = [
        f"Machine: {cpu.get('brand_raw', machine['processor'])}, "
        f"{machine['cpus_usable']} CPUs usable, {', '.join(sorted(flags)) or 'no AVX2'}; "
        f"load {machine['load_before']:.1f} before the run; Python {machine['python_version']}; "
        + ", ".join(f"{name} {number}" for name, number in machine["packages"].items()),
        "",
    ]
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
    print(report(json.loads(Path(sys.argv[1]).read_text())))
