"""Measurements as tables."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from .recipe import Recipe
from .verdicts import verdict

_SAME = 1e-6
"""A difference that is not told."""


def summary(
    recipes: Sequence[Recipe],
    results: Mapping[str, Mapping[str, Mapping[str, Any]]],
    decoders: Sequence[str],
) -> str:
    """Tell for each container and codec what each decoder made of it.

    Parameters
    ----------
    recipes : sequence of Recipe
    results : mapping
        See `lab.formats.measuring.measure`.
    decoders : sequence of str

    Returns
    -------
    str
        A Markdown table.
    """
    groups: dict[tuple[str, str], list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        if recipe.name in results:
            groups[recipe.container, recipe.codec].append(recipe)
    lines = [
        "| container | codec | files | " + " | ".join(decoders) + " |",
        "|-|-|-|" + "-|" * len(decoders),
    ]
    for (container, codec), members in groups.items():
        cells = [_cell([dict(results[m.name].get(name, {})) for m in members]) for name in decoders]
        lines.append(f"| {container} | {codec} | {len(members)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(records: list[dict[str, Any]]) -> str:
    records = [record for record in records if record]
    if not records:
        return ""
    counts = Counter(verdict(record) for record in records)
    good = [record for record in records if verdict(record) == "ok"]
    words = ["ok" if len(counts) == 1 and good else f"{n} {word}" for word, n in counts.items()]
    offsets = [record["offset"] for record in good]
    if any(offsets):
        low, high = min(offsets), max(offsets)
        words.append(f"late {low}" if low == high else f"late {low} to {high}")
    return ", ".join(words)


def details(
    recipes: Sequence[Recipe],
    results: Mapping[str, Mapping[str, Mapping[str, Any]]],
    decoders: Sequence[str],
    judged: Sequence[str],
) -> str:
    """List files that some decoder does not read right.

    Parameters
    ----------
    recipes, results, decoders
        See `summary`.
    judged : sequence of str
        Decoders that must not have read it right.

    Returns
    -------
    str
        A Markdown table. `late` is in samples at 16 kHz against what was encoded; `r` the
        correlation with it; `diff` the largest difference from a second decoder.
    """
    rows: dict[tuple[str, ...], list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        of_file = results.get(recipe.name)
        if of_file is None:
            continue
        records = [dict(of_file[name]) for name in judged if name in of_file]
        if all(verdict(record) == "ok" for record in records):
            continue
        cells = [_detail(dict(of_file.get(name, {}))) for name in decoders]
        rows[(recipe.container, recipe.codec, *cells)].append(recipe)
    lines = [
        "| container | codec | files | " + " | ".join(decoders) + " |",
        "|-|-|-|" + "-|" * len(decoders),
    ]
    for (container, codec, *cells), members in rows.items():
        spread = "; ".join(f"{name} {_spread(name, members)}" for name in _variants(members))
        lines.append(f"| {container} | {codec} | {spread} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _variants(members: list[Recipe]) -> list[str]:
    return list(dict.fromkeys(member.variant for member in members))


def _spread(variant: str, members: list[Recipe]) -> str:
    """Tell rates and channels of the files of one variant."""
    own = [member for member in members if member.variant == variant]
    rates = ", ".join(str(rate) for rate in sorted({member.rate for member in own}))
    channels = ", ".join(str(count) for count in sorted({member.channels for member in own}))
    kinds = {member.quiet for member in own}
    loudness = " quiet" if kinds == {True} else " loud" if kinds == {False} else ""
    return f"{rates} Hz {channels} ch{loudness}".strip()


def _detail(record: dict[str, Any]) -> str:
    if not record:
        return ""
    words = [verdict(record)]
    if record["outcome"] == "refused":
        # Without the file's name: it would keep alike files apart.
        said = re.sub(r"'?\S*/\S*", "", record["words"].replace("|", " "))
        words.append(" ".join(said.split())[:60])
    if record["outcome"] == "samples":
        if words[0] != "ok":
            words.append(f"{record['seconds']:.1f} s of {record['wanted']:.1f}")
        if record["offset"]:
            words.append(f"late {record['offset']}")
        if words[0] != "ok" or record["correlation"] < 0.99:
            words.append(f"r {record['correlation']:.2f}")
        if record.get("difference", 0) > _SAME:
            words.append(f"diff {record['difference']:.1e}")
    return ", ".join(words)
