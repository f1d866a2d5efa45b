"""The page that tells what the torture found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.torture.figures import COUNTS, Figures
from lab.torture.parts import PARTS

_HEADS = (
    "", "inputs", "crashes", "hangs", "losses", "scraps", "let in", "untold", "minutes",
    "CPU minutes",
)  # fmt: skip


def page(results: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    results : mapping
        As the command keeps them: ``machine``, ``seed``, ``short``, ``parts``.

    Returns
    -------
    str
        Markdown.
    """
    rows, faults = [], []
    total, seconds, cpu_seconds = Figures(), 0.0, 0.0
    absent, commits, ends = list[str](), list[str](), list[str]()
    for part in PARTS:
        if part.name not in results["parts"]:
            continue
        found = results["parts"][part.name]
        figures = Figures.from_json(found)
        total.add(figures)
        seconds += found["seconds"]
        cpu_seconds += found["cpu_seconds"]
        title = f"{part.name}: {part.title}"
        rows.append(_row(title, figures, found["seconds"], found["cpu_seconds"]))
        absent += found["absent"]
        commits.append(found["commit"])
        ends.append(found["ended"])
        if figures.notes:
            faults += [f"## {part.name}", "", *(f"- {_plain(note)}" for note in figures.notes), ""]
    about = results["machine"]
    lines = [
        "# What the product withstands",
        "",
        f"Machine: {about['description']}; {about['versions']}. Seed {results['seed']}, "
        f"{'short' if results['short'] else 'long'} form. {_when(ends, commits)}",
        "",
        "All but the inputs ought to be zero: crashes are signals and tracebacks, hangs what did "
        "not end or was left running, losses results that are missing, cut or other than those of "
        "an undisturbed run, scraps files left behind; let in is code that ran, a file that was "
        "read, a wrong result that passed; untold is an exit code or a summary that hides what "
        "happened. Minutes are of each part; parts are done at the same time.",
        "",
        *_table(_HEADS, [*rows, _row("all", total, seconds, cpu_seconds)]),
    ]
    missing = [part.name for part in PARTS if part.name not in results["parts"]]
    if missing:
        lines += [f"Not done: {', '.join(missing)}.", ""]
    if absent:
        lines += [f"Not there: {'; '.join(dict.fromkeys(absent))}.", ""]
    return "\n".join([*lines, *faults])


def _when(ends: Sequence[str], commits: Sequence[str]) -> str:
    if not ends:
        return ""
    days = sorted({end[:10] for end in ends})
    return f"{' and '.join(days)}, commit {', '.join(dict.fromkeys(commits))}."


def _row(name: str, figures: Figures, seconds: float, cpu_seconds: float) -> list[str]:
    counts = (f"{getattr(figures, count):,}" for count in COUNTS)
    return [name, *counts, f"{seconds / 60:.1f}", f"{cpu_seconds / 60:.1f}"]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [" | ".join(heads), "|".join("-" * len(heads)), *map(" | ".join, rows)]
    return [*(f"| {line} |" if index != 1 else f"|{line}|" for index, line in enumerate(lines)), ""]


def _plain(note: str) -> str:
    """Keep what files are called from being read as Markdown, or by a terminal."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in note)
    return printable.encode(errors="replace").decode().replace("<", "&lt;")
