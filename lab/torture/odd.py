"""A folder of odd files and names: each is analysed, or named with its reason, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from essentia_maest.collection.results import SUMMARY
from essentia_maest.making.conversion import convert_random
from essentia_maest.results.opened import open_results
from lab.torture.child import MAEST, Ended, run
from lab.torture.collection import check_end, check_summary, scraps_of
from lab.torture.figures import Figures
from lab.torture.kept import FILES, TABLES, kept_in
from lab.torture.odd_files import fill
from lab.torture.work import Work

_SECONDS_A_FILE = 10.0
_NAMED_TIMEOUT = 120.0


def odd_files(work: Work) -> Figures:
    """Analyse an odd folder: once, resumed, with other numbers of workers, and into tables.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
        A file that crashes its decoder counts as a crash, although it costs one file only.
    """
    figures = Figures()
    folder, temporary = work.folder / "odd", work.folder / "temporary"
    temporary.mkdir()
    good, special, missing = fill(
        folder, work.shared / "packages", work.chance("files"), work.short
    )
    for reason in missing:
        work.tell(f"odd: {reason}")
    model = convert_random("tiny", work.folder / "tiny.onnx", seconds=5, classes=12)

    def analyze(out: Path, *more: str, form: str = FILES) -> Ended:
        command = [*MAEST, "analyze", *more, "-o", str(out), "--model", str(model), "--block", "1"]
        command += ["--format", form]
        return run(command, work.folder, _SECONDS_A_FILE * 1000, {"TMPDIR": str(temporary)})

    out = work.folder / "out"
    work.tell("odd: the first run")
    ended = analyze(out, str(folder), "--workers", "2", "--threads", "2")
    summary = _judge(figures, "first run", ended, out)
    figures.inputs = summary.get("counts", {}).get("found", 0)
    _check_good(figures, good, summary, out)

    work.tell("odd: resumed")
    ended = analyze(out, str(folder), "--resume")
    again = _judge(figures, "resumed", ended, out)
    if again and again["counts"]["analyzed"]:
        figures.fault("losses", f"resumed: {again['counts']['analyzed']} tracks done again")
    if again and not _same_failures(summary, again):
        figures.fault("untold", "resumed: other failures than in the first run")

    work.tell("odd: in other numbers")
    ended = analyze(work.folder / "out 2", str(folder), "--workers", "1", "--threads", "1")
    _judge(figures, "one worker", ended, work.folder / "out 2")
    _compare(figures, *(kept_in(one, FILES).results for one in (out, work.folder / "out 2")))

    work.tell("odd: into tables")
    tables = work.folder / "tables"
    ended = analyze(tables, str(folder), "--workers", "2", "--threads", "2", form=TABLES)
    told = _judge(figures, "into tables", ended, tables, TABLES)
    _compare_tables(figures, out, tables)
    if told and not _same_failures(summary, told):
        figures.fault("untold", "into tables: other failures than in the first run")

    for special_file in special:
        figures.inputs += 1
        _named(figures, special_file, model, work.folder)
    left = scraps_of(out, work.folder / "out 2", tables, temporary)
    if left:
        figures.fault("scraps", f"{left[0]}", len(left))
    return figures


def _judge(
    figures: Figures, label: str, ended: Ended, out: Path, form: str = FILES
) -> dict[str, Any]:
    check_end(figures, label, ended, [0, 1])
    if ended.hung:
        return {}
    if any(ord(letter) < 32 and letter not in "\n\r\t" for letter in ended.words):
        figures.fault("let_in", f"{label}: control characters on the terminal")
    summary = check_summary(figures, label, out, ended)
    kept = kept_in(out, form)
    for words in kept.broken:
        figures.fault("losses", f"{label}: {words}")
    results = [name for name in kept.results if name.endswith(".json")]
    counts = summary.get("counts")
    if counts and counts["analyzed"] + counts["resumed"] != len(results):
        figures.fault("losses", f"{label}: {len(results)} results, told {counts}")
    for failure in summary.get("failures", ()):
        words = f"{label}: {failure['path']!r}: {failure['reason']}"
        if "crashed" in failure["reason"] or "process died" in failure["reason"]:
            figures.fault("crashes", words)
        elif "longer than" in failure["reason"]:
            figures.fault("hangs", words)
        elif not failure["reason"]:
            figures.fault("untold", f"{words}: no reason")
    return summary


def _check_good(figures: Figures, good: list[str], summary: dict[str, Any], out: Path) -> None:
    """Every good file has whole results; every result is whole."""
    analysed = set()
    for path in sorted(out.rglob("*.json")):
        if path == out / SUMMARY or path.is_dir():
            continue
        result = json.loads(path.read_bytes())
        analysed.add(result["track"])
        for array in result["arrays"].values():
            values = np.load(path.parent / array)
            if len(values) != len(result["segments"]) or not np.isfinite(values).all():
                figures.fault("losses", f"{result['track']!r}: {array} is not what is told")
    failed = {failure["path"]: failure["reason"] for failure in summary.get("failures", ())}
    for track in good:
        if track not in analysed:
            figures.fault("losses", f"good file {track!r}: {failed.get(track, 'nothing is told')}")


def _same_failures(one: dict[str, Any], other: dict[str, Any]) -> bool:
    def of(summary: dict[str, Any]) -> set[str]:
        return {failure["path"] for failure in summary["failures"]}

    return of(one) == of(other)


def _compare(figures: Figures, one: dict[str, bytes], other: dict[str, bytes]) -> None:
    for name in sorted(one.keys() ^ other.keys()):
        figures.fault("losses", f"{name!r} has a result in one run only")
    for name in sorted(one.keys() & other.keys()):
        if one[name] != other[name]:
            figures.fault("losses", f"{name!r} depends on how many workers there are")


def _compare_tables(figures: Figures, out: Path, tables: Path) -> None:
    """Tables have the tracks that have files, with means of the same embeddings."""
    if not (tables / "tracks").is_dir():
        return
    opened = open_results(tables)
    means = dict(zip(opened.files, opened.embeddings()[0], strict=True))
    of_files = {}
    for path in sorted(out.rglob("*.json")):
        if path != out / SUMMARY and path.is_file():
            result = json.loads(path.read_bytes())
            of_files[result["track"]] = path.parent / result["arrays"]["embeddings"]
    for track in sorted(means.keys() ^ of_files.keys()):
        figures.fault("losses", f"{track!r} has a result as a file or as a row only")
    for track in sorted(means.keys() & of_files.keys()):
        segments = np.load(of_files[track])
        outside = (means[track] < segments.min(0) - 1e-4) | (means[track] > segments.max(0) + 1e-4)
        if outside.any():
            figures.fault("losses", f"{track!r}: its row is no mean of its segments")


def _named(figures: Figures, path: str, model: Path, folder: Path) -> None:
    """Name what is no file on the line: it is refused in bounded time."""
    out = folder / "named" / os.path.basename(path)
    command = [*MAEST, "analyze", path, "-o", str(out), "--model", str(model), "--block", "1"]
    command += ["--format", "files"]
    ended = run(command, folder, _NAMED_TIMEOUT)
    check_end(figures, f"{path} named", ended, [1, 2])
