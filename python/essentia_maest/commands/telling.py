"""What `maest analyze` says of tracks, and of a run that is over."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from ..decoding.paths import printable_path
from ..errors import StoppedEarlyError
from ..reading.plain_text import printable
from .saying import complain
from .surroundings import drop_output, flush_output, show

# What computes is imported where it is needed: `maest --help` is to answer at once.
if TYPE_CHECKING:
    from ..collection.outcomes import RunReport
    from ..collection.progress import TrackTold
    from ..collection.scan import Scan

_MOST_LABELS = 5


def track_line(told: TrackTold) -> str:
    """Spell a track in a line: path, seconds and its strongest labels, with tabs between them."""
    from ..reading.families import SEPARATOR

    labels: dict[Any, str] = {}
    for number, entry in enumerate(told.labels):
        family = entry["family"]
        if family is None and number < _MOST_LABELS:
            labels[number] = f"{entry['label']} {entry['activation']:.2f}"
        elif family is not None and family not in labels:
            name = entry["label"].removeprefix(family + SEPARATOR)
            labels[family] = f"{family} {name} {entry['activation']:.2f}"
    words = printable(", ".join(labels.values()))
    return f"{shown_path(told.path)}\t{told.seconds:.1f}\t{words}"


def shown_path(path: str) -> str:
    """Spell a path as short as can be from where we are."""
    here = os.path.join(os.getcwd(), "")
    return printable_path(path.removeprefix(here) or path)


def show_lines(*lines: str) -> None:
    """Print lines on stdout; where nobody takes them any more, they are lost.

    They are in the files, too: who does not want to read them to the end misses nothing.
    """
    if sys.stdout is None or not lines:
        return
    try:
        show("\n".join(lines))
        flush_output()
    except BrokenPipeError:
        drop_output()
    except StoppedEarlyError as error:  # stdout is dropped by now
        complain(f"warning: {error}; the results are not touched by it")


def tell_one(result: dict[str, Any], of_heads: list[str]) -> None:
    """Print the strongest labels of one track, family by family where there are several."""
    from ..reading.families import family_lines

    lines: list[str] = []
    if "families" in result:
        lines = family_lines(result["families"])
    elif "top" in result:
        lines = [f"{entry['label']} {entry['activation']:.2f}" for entry in result["top"]]
    show_lines(*map(printable, lines + of_heads))


def counts(report: RunReport) -> str:
    """Say in a line what became of a run."""
    parts = [f"{report.analyzed} analysed ({report.audio_seconds / 60:.1f} min of audio)"]
    if report.resumed:
        parts.append(f"{report.resumed} done before and left alone")
    if report.duplicates:
        parts.append(f"{report.duplicates} duplicates left out")
    parts.append(f"{len(report.failures)} failed")
    if report.flagged.counts:
        parts.append(f"{report.flagged} (named in summary.json)")
    if report.skipped:
        parts.append(f"{len(report.skipped)} hidden skipped (--hidden)")
    return ", ".join(parts)


def left_out(found: Scan) -> str:
    """Say in a line what no decoder reads."""
    endings = sorted(found.left_out.items())
    listed = ", ".join(f"{len(files)} {ending}" for ending, files in endings)
    return f"warning: files left out, which no decoder here reads: {listed} (named in summary.json)"


def timings(report: RunReport) -> str:
    """Say in a line where the time went."""
    seconds = report.seconds
    return (
        f"timings: decode {seconds.decode:.2f} s, front end {seconds.front_end:.2f} s, "
        f"model {seconds.model:.2f} s, writing {seconds.writing:.2f} s "
        "(summed over processes and threads)"
    )
