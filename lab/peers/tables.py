"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.peers.statistics import spread

_ABSENT = "–"  # noqa: RUF001 (a dash, as tables have it)
_MEGABYTE = 1e6
Value = Mapping[str, Any]
Row = Sequence[str]


def report(results: Value) -> str:
    """Give the whole page: machine, marks, then one table per study."""
    machine, size = results["machine"], results["size"]
    lines = [
        "# Peers side by side",
        "",
        f"Machine: {machine['description']}, {machine['load_after']:.1f} after; "
        f"{machine['versions']}. MAEST {size['name']} ({size['dim']} wide, {size['depth']} "
        "blocks), random weights, which speed does not depend on.",
        "",
        f"Up to {results['rounds']} rounds; in each, every peer does every case once, in turn, and "
        "ratios are taken within rounds. Medians; in brackets, quartiles. One first time does not "
        "count. The embedding is of block 7; peers other than this engine and "
        "TensorflowPredictMAEST are given the mel spectrogram. Peak memory is of all cases of a "
        "peer, where each has a process of its own: of that one.",
        "",
        *_marks(results["studies"]),
    ]
    for study in results["studies"]:
        lines += _at_a_glance(study)
    for study in results["studies"]:
        lines += study_page(study)
    return "\n".join(lines)


def study_page(study: Value) -> list[str]:
    """Give the lines of a study: its title, its table, who was left out."""
    rows = [_row(study, row) for row in study["rows"] if row["first_seconds"] or row["spread"]]
    return [
        f"## {study['title']}, {_threads(study['threads'])}",
        "",
        *(_table(*_filled(_columns(study), rows)) if rows else []),
        *_failures(study),
    ]


def _marks(studies: Sequence[Value]) -> list[str]:
    rows = [
        [
            mark["what"], _threads(study["threads"]), f"{mark['wanted']:g}",
            _spread(mark["found"]),
            _ABSENT if mark["found"] is None
            else "yes" if mark["found"][1] >= mark["wanted"] else "no",
        ]
        for study in studies
        for mark in study["marks"]
    ]  # fmt: skip
    if not rows:
        return []
    return ["## Marks", "", *_table(("", "CPUs", "mark", "found", "reached"), rows)]


def _at_a_glance(study: Value) -> list[str]:
    """Give a study of several patchouts as one row per peer: how many times the reference."""
    if study["fresh"]:
        return []
    ratios: dict[str, dict[str, Any]] = {}
    for row in study["rows"]:
        if row["tokens"] and row["minutes"]:
            ratios.setdefault(row["peer"], {})[row["case"]] = row["ratio"]
    cases = list(dict.fromkeys(case for found in ratios.values() for case in found))
    if len(cases) < 2:
        return []
    peer, case = study["reference"]
    return [
        f"## {study['title']}, {_threads(study['threads'])}: times {peer}, {case}",
        "",
        *_table(
            ("", *cases),
            [
                [name, *(_median(found.get(case)) for case in cases)]
                for name, found in ratios.items()
                if any(found.values())
            ],
        ),
    ]


def _columns(study: Value) -> tuple[str, ...]:
    if study["fresh"]:
        return (
            "", "ms, start to first result", "of it loading", "first time", "second time",
            "speed ratio", "peak MB",
        )  # fmt: skip
    peer, case = study["reference"]
    return (
        "", "case", "tokens", "ms", "minutes of audio a second", "GOP/s",
        f"times {peer}, {case}", "cosine", "load s", "peak MB",
    )  # fmt: skip


def _row(study: Value, row: Value) -> list[str]:
    peer = next(peer for peer in study["peers"] if peer["name"] == row["peer"])
    found = row["spread"]
    if study["fresh"]:
        more = row["more"]
        return [
            row["peer"],
            _spread(found, 1e3),
            *(_spread(spread(more.get(part, ())), 1e3) for part in ("load", "cold", "warm")),
            _spread(row["ratio"]),
            _number(peer["memory"], 1 / _MEGABYTE),
        ]
    median = found[1] if found else None
    memory = row["more"].get("memory_tree", peer["memory"])
    return [
        row["peer"],
        row["case"],
        _ABSENT if row["tokens"] is None else str(row["tokens"]),
        _spread(found, 1e3) if found else f"{_number(row['first_seconds'], 1e3)}, once",
        _number(row["minutes"] / median if median and row["minutes"] else None),
        _number(row["operations"] / median if median and row["operations"] else None, 1e-9),
        _spread(row["ratio"]),
        _ABSENT if row["cosine"] is None else f"{row['cosine']:.5f}",
        _number(peer["load_seconds"]),
        _number(memory, 1 / _MEGABYTE),
    ]


def _failures(study: Value) -> list[str]:
    failed = [f"- {peer['name']}: {peer['reason']}" for peer in study["peers"] if peer["reason"]]
    return ["Left out:", "", *failed, ""] if failed else []


def _filled(columns: Row, rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """Leave out the columns in which nothing stands."""
    kept = [0, *(n for n in range(1, len(columns)) if any(row[n] != _ABSENT for row in rows))]
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def _table(columns: Row, rows: Sequence[Row]) -> list[str]:
    lines = ["| " + " | ".join(columns) + " |", "|-" * len(columns) + "|"]
    for row in rows:
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return [*lines, ""]


def _number(value: float | None, scale: float = 1.0) -> str:
    if value is None:
        return _ABSENT
    scaled = value * scale
    return f"{scaled:.0f}" if scaled >= 1000 else f"{scaled:.3g}"


def _spread(found: Sequence[float] | None, scale: float = 1.0) -> str:
    if found is None:
        return _ABSENT
    low, median, high = (_number(value, scale) for value in found[:3])
    return f"{median} [{low}, {high}]"


def _median(found: Sequence[float] | None) -> str:
    return _ABSENT if found is None else _number(found[1])


def _threads(count: int) -> str:
    return "1 CPU" if count == 1 else f"{count} CPUs"
