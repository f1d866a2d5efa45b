"""What was measured, as plain values for a JSON file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from lab.peers.definitions import Mark, Study
from lab.peers.outcomes import PeerResult
from lab.peers.statistics import Spread, ratios, spread, sums


def study_as_json(study: Study, results: list[PeerResult]) -> dict[str, Any]:
    """Give a study's results: rows of cases, peers, marks.

    A row's ``ratio`` is how much faster it deals with audio than the reference, as
    [quartile, median, quartile, rounds]; where it deals with none, there is no ratio.
    """
    rows: list[dict[str, Any]] = [
        {
            "peer": result.peer.name,
            "case": case.case.name,
            "minutes": case.case.minutes,
            "tokens": case.case.tokens,
            "operations": case.case.operations,
            "first_seconds": case.first,
            "seconds": case.seconds,
            "spread": spread(case.seconds),
            "cosine": case.cosine,
            "more": case.more,
        }
        for result in results
        for case in result.cases
    ]
    by_key = {(row["peer"], row["case"]): row for row in rows}
    reference = by_key[study.reference]
    for row in rows:
        row["ratio"] = spread(_speed_ratio(row, reference, "minutes")) if row["minutes"] else None
    return {
        "name": study.name,
        "title": study.title,
        "threads": study.threads,
        "fresh": study.fresh,
        "reference": list(study.reference),
        "rows": rows,
        "peers": [
            {
                "name": result.peer.name,
                "environment": result.peer.environment,
                "load_seconds": result.load_seconds,
                "memory_opened": result.memory_opened,
                "memory": result.memory,
                "versions": result.versions,
                "reason": result.reason,
            }
            for result in results
        ],
        "marks": marks_as_json(study, rows),
    }


def marks_as_json(study: Study, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give the marks of a study, with what its rows reach: None where that was not measured."""
    by_key = {(row["peer"], row["case"]): row for row in rows}
    return [{**asdict(mark), "found": _mark(mark, by_key)} for mark in study.marks]


def _mark(mark: Mark, rows: Mapping[tuple[str, str], Mapping[str, Any]]) -> Spread | None:
    if any(key not in rows for key in (mark.one, mark.other, mark.after) if key):
        return None
    one, other = rows[mark.one], rows[mark.other]
    if mark.instead is not None and mark.instead in rows:
        other = min(other, rows[mark.instead], key=_median_seconds)
    if mark.after is not None:
        other = {**other, "seconds": sums(other["seconds"], rows[mark.after]["seconds"])}
    return spread(_speed_ratio(one, other, "operations" if mark.by_operations else "minutes"))


def _median_seconds(row: Mapping[str, Any]) -> float:
    found = spread(row["seconds"])
    return math.inf if found is None else found.median


def _speed_ratio(one: Mapping[str, Any], other: Mapping[str, Any], of: str) -> list[float | None]:
    return ratios(other["seconds"], one["seconds"], one[of] / other[of])
