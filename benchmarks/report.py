"""Turns a result file of `pytest benchmarks` into the tables of the README.

pytest benchmarks --benchmark-json=result.json && python benchmarks/report.py result.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: What every other entry is compared with.
REFERENCES = {"mel": "test_mel[essentia_frame_loop]", "model": "test_model[torch-F0T0]"}
SECONDS = 30
#: In the benchmarks of training every group has its own, with this word in its name.
TRAINING = {"test_training_step": "reference", "test_reading": "npy_files"}


def rows(benchmarks: dict[str, dict[str, Any]], reference: str) -> list[str]:
    """One Markdown row an entry: best time, spread, speed, ratio to the reference's best time."""
    kind = reference.partition("[")[0]
    base = benchmarks[reference]["stats"]["min"]
    table = [
        "| | ms, best | median | minutes of audio a second | times "
        + reference.partition("[")[2].rstrip("]")
        + " |",
        "|-|-|-|-|-|",
    ]
    for name, entry in benchmarks.items():
        if not name.startswith(kind + "["):
            continue
        best, median = entry["stats"]["min"], entry["stats"]["median"]
        label = name.partition("[")[2].rstrip("]").replace("-", ", ").replace("_", " ")
        table.append(
            f"| {label} | {1e3 * best:.4g} | {1e3 * median:.4g} | {SECONDS / 60 / best:.3g} "
            f"| {base / best:.3g} |"
        )
    return table


def training_rows(entries: list[dict[str, Any]], reference: str) -> list[str]:
    """One Markdown row an entry of a group: time, tracks a second, ratio to the reference's."""
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
    benchmarks = {entry["name"]: entry for entry in result["benchmarks"]}
    for reference in REFERENCES.values():
        if reference in benchmarks:
            lines += [*rows(benchmarks, reference), ""]
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, entry in benchmarks.items():
        if name.partition("[")[0].removesuffix("_on_a_gpu") in TRAINING:
            groups.setdefault(entry["group"], []).append(entry)
    for entries in groups.values():
        kind = entries[0]["name"].partition("[")[0].removesuffix("_on_a_gpu")
        lines += [*training_rows(entries, TRAINING[kind]), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(json.loads(Path(sys.argv[1]).read_text())))
