"""Throughput against tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.pictures import new_picture, write_picture

_DASHES = ("--", ":", "-.", (0, (1, 5)))


def draw(studies: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """Draw a panel for each study with tokens: one line per peer, one point per patchout.

    Networks that have no tokens are level lines.

    Parameters
    ----------
    studies : sequence of mapping
        As `results.study_as_json` gives them.
    path : Path
        The picture.

    Returns
    -------
    bool
        Whether there was something to draw.
    """
    panels = [(study, _lines(study)) for study in studies if not study["fresh"]]
    panels = [(study, lines) for study, lines in panels if lines]
    if not panels:
        return False
    figure = new_picture(7 * len(panels), 5.5)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (study, lines) in zip(axes, panels, strict=True):
        for number, (peer, points) in enumerate(lines.items()):
            tokens = [row["tokens"] for row in points]
            speeds, lows, highs = zip(*(_speeds(row) for row in points), strict=True)
            axis.errorbar(
                tokens,
                speeds,
                yerr=[
                    [max(0.0, s - low) for s, low in zip(speeds, lows, strict=True)],
                    [max(0.0, high - s) for s, high in zip(speeds, highs, strict=True)],
                ],
                label=peer,
                color=f"C{number % 10}",
                marker="o" if peer.startswith("ours") else "s",
                linewidth=2 if peer.startswith("ours") else 1,
            )
        for number, row in enumerate(_without_tokens(study)):
            axis.axhline(
                _speeds(row)[0], label=row["peer"], color="grey", linestyle=_DASHES[number % 4]
            )
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="tokens",
            ylabel="minutes of audio a second",
            title=f"{study['title']}, {study['threads']} CPU" + "s" * (study["threads"] > 1),
        )
        axis.grid(visible=True, which="both", alpha=0.3)
        axis.legend(fontsize="small")
    write_picture(figure, path)
    return True


def _lines(study: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in study["rows"]:
        if row["tokens"] and row["minutes"] and row["spread"]:
            lines.setdefault(row["peer"], []).append(row)
    return {peer: sorted(rows, key=lambda row: row["tokens"]) for peer, rows in lines.items()}


def _without_tokens(study: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the networks that are no transformers."""
    return [row for row in study["rows"] if not row["tokens"] and row["minutes"] and row["spread"]]


def _speeds(row: Mapping[str, Any]) -> tuple[float, float, float]:
    low, median, high, _ = row["spread"]
    return row["minutes"] / median, row["minutes"] / high, row["minutes"] / low
