"""Scores against throughput under different patchouts, as the paper's Figure 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from lab.quality.tables import PatchoutScores
from training.errors import DataError
from training.pictures import new_picture, write_picture

_PANELS = (
    ("predictions", "predictions of the model"),
    ("probes", "linear probes on embeddings"),
)
_TICKS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def draw_patchouts(rows: Sequence[PatchoutScores], output: Path) -> Path:
    """Draw mAP on true labels against throughput, one line per precision, one point per patchout.

    Parameters
    ----------
    rows : sequence of PatchoutScores
        Those without a speed or without a score are left out.
    output : path
        Picture to write, .png, .svg or .pdf.

    Returns
    -------
    Path
        The picture.

    Raises
    ------
    DataError
        No row has both a speed and a score, or the picture's format is unknown.
    """
    panels = []
    for name, title in _PANELS:
        lines = _lines(rows, name)
        if lines:
            panels.append((title, lines))
    if not panels:
        raise DataError(
            f"none of {len(rows)} rows has a speed and a score; there is nothing to draw"
        )

    from matplotlib.ticker import LogLocator

    figure = new_picture(5.5 * len(panels), 4.5)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels, strict=True):
        for number, (precision, points) in enumerate(lines.items()):
            speed, score, low, high, names = zip(*points, strict=True)
            errors = [
                [max(0.0, value - end) for value, end in zip(score, low, strict=True)],
                [max(0.0, end - value) for value, end in zip(score, high, strict=True)],
            ]
            axis.errorbar(
                speed, score, errors, fmt="o-", capsize=2, elinewidth=0.5, label=precision
            )
            # the names of one line above it, of the next below: lines lie close together
            where = ((4, 4), "left", "bottom") if number % 2 == 0 else ((-4, -4), "right", "top")
            for place, name in zip(zip(speed, score, strict=True), names, strict=True):
                offset, horizontal, vertical = where
                axis.annotate(
                    name,
                    place,
                    offset,
                    textcoords="offset points",
                    ha=horizontal,
                    va=vertical,
                    fontsize=8,
                )
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=_TICKS))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
        axis.margins(x=0.12)
        axis.set_title(title)
        axis.set_xlabel("times faster than real time, one thread")
        axis.set_ylabel("mAP")
        axis.grid(alpha=0.3)
        axis.legend()
    return write_picture(figure, output)


_Point = tuple[float, float, float, float, str]


def _lines(rows: Sequence[PatchoutScores], name: str) -> dict[str, list[_Point]]:
    """Gather the points (speed, score, its ends, patchout) of each precision, slowest first."""
    lines: dict[str, list[_Point]] = {}
    for row in rows:
        score = getattr(row, name)
        if row.times_real_time is not None and score is not None and not math.isnan(score.value):
            lines.setdefault(row.precision, []).append((row.times_real_time, *score, row.patchout))
    return {precision: sorted(points) for precision, points in lines.items()}
