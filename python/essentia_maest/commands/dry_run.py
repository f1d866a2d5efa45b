"""`maest analyze --dry-run`: what a run would do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..remote.urls import is_url
from .telling import show_lines, shown_path

if TYPE_CHECKING:
    from ..collection.outcomes import RunReport
    from ..collection.scan import Scan, Track

_OPENED = 200
_BY_ONE = 1000


def tell_plan(
    found: Scan, waiting: list[Track], report: RunReport, *, workers: int, quiet: bool
) -> None:
    """Print what would become of each file, and how much that is.

    Parameters
    ----------
    found : Scan
        What was found.
    waiting : list of Track
        What would be analysed.
    report : RunReport
        What else is known.
    workers : int
        Processes that may open files, to see how long they are.
    quiet : bool
        Print the sums only.
    """
    from ..collection.forecast import Collection, Estimate, told_seconds

    todo = {track.path for track in waiting}
    missing = [track.path for track in waiting if _is_missing(track.path)]
    if missing:
        gone = set(missing)
        waiting = [track for track in waiting if track.path not in gone]
    if not quiet:
        _tell("analyse", [track.path for track in waiting])
        _tell("missing", missing)
        _tell("done", [track.path for track in found.tracks if track.path not in todo])
        _tell("left out", [file for files in found.left_out.values() for file in files])
        _tell("skipped", found.skipped)
        _tell("unreadable", [folder for folder, _ in found.unreadable])
    collection = Collection(waiting)
    seconds = told_seconds(collection, collection.sample(_OPENED), workers)
    length = ""
    if seconds:
        hours = Estimate.of(collection.draws(seconds) / 3600, len(seconds))
        many = len(seconds) < len(waiting)
        spread = f", {hours.low:.3g} to {hours.high:.3g}" if many else ""
        failed = list(seconds.values()).count(0.0)
        others = f"; {failed} cannot be opened" if failed else ""
        length = (
            f" ({hours.value:.3g} hours of audio{spread}, by what {len(seconds) - failed} files say"
            f"{others})"
        )
    parts = [f"{len(waiting)} files would be analysed{length}"]
    numbers = {
        "missing": len(missing),
        "done before": report.resumed,
        "duplicates": report.duplicates,
        "left out": sum(map(len, found.left_out.values())),
        "hidden skipped": len(found.skipped),
        "folders unreadable": len(found.unreadable),
    }
    parts += [f"{number} {name}" for name, number in numbers.items() if number]
    show_lines(", ".join(parts) + "; nothing was written")


def _is_missing(path: str) -> bool:
    """Tell what a list names and is not there."""
    if is_url(path):
        return False
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it is there, and the run says what is wrong with it
        return False
    return False


def _tell(what: str, paths: list[str]) -> None:
    for begin in range(0, len(paths), _BY_ONE):
        show_lines(*(f"{what}\t{shown_path(path)}" for path in paths[begin : begin + _BY_ONE]))
