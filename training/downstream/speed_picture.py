"""mAP against throughput, as a picture (Figure 3 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.pictures import new_picture, write_picture
from training.recipe.bootstrap import Interval

_COLOURS = {False: "tab:blue", True: "tab:orange"}


@dataclass(frozen=True)
class Point:
    """A place in the picture.

    Attributes
    ----------
    name : str
    throughput : float
        Minutes of audio analysed in a second, by one thread; decoding is not counted.
    score : Interval or None
        mAP on the test split; None for a network that was not trained.
    size : float
        Parameters, roughly.
    baseline : bool
    published : float or None
        mAP of the paper for a network of this kind on the same data set and split, in percent.
    """

    name: str
    throughput: float
    score: Interval | None
    size: float
    baseline: bool = False
    published: float | None = None


def draw_points(points: Sequence[Point], path: Path) -> None:
    """Draw points: with intervals if measured, hollow with the paper's mAP, as lines without any.

    Parameters
    ----------
    points : sequence of Point
    path : Path
        The ``.png`` to write.
    """
    picture = new_picture(7, 4.5)
    axis = picture.subplots()
    measured = [point for point in points if not point.baseline and point.score is not None]
    axis.plot(
        [point.throughput for point in measured],
        [100 * point.score.value for point in measured if point.score is not None],
        color=_COLOURS[False],
    )
    for point in points:
        _draw_point(axis, point)
    for baseline, label in ((False, "MAEST"), (True, "baseline")):
        if any(point.baseline == baseline for point in points):
            axis.scatter([], [], 30, color=_COLOURS[baseline], label=label)
    axis.set_xlabel("minutes of audio analysed in a second, one thread")
    axis.set_ylabel("mAP, percent")
    axis.margins(x=0.08)  # room for the name of the fastest
    axis.set_xlim(left=0)
    axis.grid(alpha=0.3)
    axis.legend(title="area: square root of parameters")
    write_picture(picture, path)


def _draw_point(axis: Any, point: Point) -> None:
    colour, area = _COLOURS[point.baseline], 20 * math.sqrt(point.size / 1e6)
    if point.score is not None:
        value, low, high = (100 * one for one in point.score)
        axis.errorbar(
            point.throughput,
            value,
            [[value - low], [high - value]],
            color=colour,
            elinewidth=0.5,
            capsize=2,
        )
        axis.scatter(point.throughput, value, area, color=colour)
        told = point.name
    elif point.published is not None:
        value = point.published
        axis.scatter(point.throughput, value, area, edgecolors=colour, facecolors="none")
        told = f"{point.name} (mAP: the paper's)"
    else:
        axis.axvline(point.throughput, color=colour, linestyle=":", linewidth=1)
        axis.annotate(
            f"{point.name}, untrained: speed only",
            (point.throughput, 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            fontsize=8,
        )
        return
    place = (point.throughput, value)
    axis.annotate(told, place, (5, 5), textcoords="offset points", fontsize=8)
