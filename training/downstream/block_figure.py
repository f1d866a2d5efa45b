"""`python -m training downstream figure2`: which block and which tokens (Figure 2 of the paper)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import essentia_maest as maest
from essentia_maest.files import sha256_of
from essentia_maest.progress import tracked
from training.downstream.embeddings import BLOCKS, Wanted
from training.downstream.evaluation import Data, Options, Page, percent, write_page
from training.downstream.probing import Judged
from training.downstream.published import FIGURE_2, FIGURE_2_BLOCKS
from training.downstream.speed import measure_speed
from training.pictures import new_picture, write_picture
from training.recipe.bootstrap import Interval

STACKS = {
    "c": ("cls",),
    "d": ("dist",),
    "a": ("avg",),
    "cd": ("cls", "dist"),
    "ca": ("cls", "avg"),
    "cda": ("cls", "dist", "avg"),
}
"""As the figure names them, in its order."""


def draw_blocks(
    tracks: Path,
    model: Path,
    output: Path,
    *,
    blocks: Sequence[int] = BLOCKS,
    patchout: str = "F0T0",
    **options: Any,
) -> Path:
    """Draw mAP over blocks and tokens, the paper's Figure 2, for a model and a data set.

    All blocks come from one pass over the music. Writes ``figure2.csv``, ``figure2.md``,
    ``figure2.json`` and ``figure2.png``; the paper's numbers stand beside only where the data set
    is whole MagnaTagATune in its published split.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``).
    model : path
        Model file.
    output : path
        Folder for the results.
    blocks : sequence of int
        Those that the model lacks are left out.
    patchout : str
    **options
        See `Options`.

    Returns
    -------
    Path
        ``figure2.md``.

    Raises
    ------
    ConfigError
        A perceptron cannot be set so.
    DataError
        The table or the embeddings cannot be used.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    chosen, output = Options(**options), Path(output)
    data, wanted = chosen.open(tracks), Wanted(Path(model), tuple(blocks), patchout)
    kept = chosen.embeddings(data, wanted, output)
    found: dict[str, dict[int, Interval]] = {name: {} for name in STACKS}
    areas: dict[str, dict[int, Interval]] = {name: {} for name in STACKS}
    judged: dict[tuple[str, int], Judged] = {}
    cells = [(name, block) for block in kept.blocks for name in STACKS]
    for name, block in tracked(cells, "probes"):
        task = data.task(kept, [(block, STACKS[name])])
        judged[name, block] = one = chosen.judge(task)
        found[name][block] = one.overall.mean_average_precision
        areas[name][block] = one.overall.roc_auc
    best = max(judged, key=lambda place: found[place[0]][place[1]].value)
    below = {
        place: chosen.gain(task, judged[best], one)
        for place, one in tracked(judged.items(), "differences")
        if place != best
    }
    rows = [
        {"tokens": name, **{f"block {b}": percent(found[name][b]) for b in kept.blocks}}
        for name in STACKS
    ]
    published = data.published and data.facts.dataset == "magnatagatune"
    if published:
        rows += [
            {
                "tokens": f"{name}, paper (MAEST-30s)",
                **{f"block {b}": _paper(name, b) for b in kept.blocks},
            }
            for name in STACKS
        ]
    _draw({n: {b: one.value for b, one in v.items()} for n, v in found.items()}, output)
    about = {
        "one pass": _cost(data, kept.blocks, wanted),
        "data": data.described(),
        "tracks with embeddings and labels": task.described(),
        "model": f"{Path(model).name}, sha256 {sha256_of(Path(model))}; patchout {patchout}",
        "probe": chosen.described(),
        "tokens": "c: class token, d: distillation token, a: average of the patch tokens; stacks",
    }
    extra = {
        "mAP": {n: {b: tuple(i) for b, i in v.items()} for n, v in found.items()},
        "ROC-AUC": {n: {b: tuple(i) for b, i in v.items()} for n, v in areas.items()},
        "mAP below the highest": {f"{n}, {b}": tuple(i) for (n, b), i in below.items()},
    }
    title = "mAP in percent, by block and tokens (Figure 2)"
    return write_page(
        output, Page("figure2", title, rows, about, extra, _told(found, best, below), picture=True)
    )


def _cost(data: Data, blocks: Sequence[int], wanted: Wanted) -> str:
    """Say what all blocks cost beside the deepest alone: in turns, on a track, one thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", maest.UntrainedModelWarning)
        model = maest.Model(wanted.model, num_threads=1)
    deepest = max(blocks)
    asked: dict[str, int | tuple[int, ...]] = {"all": tuple(blocks), "deepest": deepest}
    analyses = {
        name: partial(model.embed, block=block, patchout=wanted.patchout)
        for name, block in asked.items()
    }
    path = data.tracks.folder / data.tracks.table["path"][0].as_py()
    speeds = measure_speed(analyses, [path], rounds=3)
    times = speeds["deepest"].analysis / speeds["all"].analysis
    return f"{len(blocks)} blocks took {times:.2f} times what block {deepest} alone takes"


def _paper(name: str, block: int) -> str:
    if block not in FIGURE_2_BLOCKS:
        return ""
    return f"{FIGURE_2[name][FIGURE_2_BLOCKS.index(block)]:.1f}"


def _told(
    found: Mapping[str, Mapping[int, Interval]],
    best: tuple[str, int],
    below: Mapping[tuple[str, int], Interval],
) -> str:
    """Say in words which is best, and which are not told apart from it."""
    name, block = best
    told = f"Highest: block {block} with {name}, {percent(found[name][block])}."
    level = [place for place, one in below.items() if one.low <= 0]
    if not below:
        return told
    told += (
        f" Of the other {len(below)} places {len(below) - len(level)} are lower: the 95 % interval "
        "of the difference, on the same draws, lies above 0."
    )
    blocks: dict[int, list[str]] = {}
    for stack, deep in level:
        blocks.setdefault(deep, []).append(stack)
    if blocks:
        listed = "; ".join(f"block {b}: {', '.join(blocks[b])}" for b in sorted(blocks))
        told += f" Not told apart from it: {listed}."
    usual = below.get(("cda", 7))
    if usual is not None:
        told += f" The paper's choice, cda of block 7, is lower by {percent(usual)} points."
    return told


def _draw(found: dict[str, dict[int, float]], output: Path) -> None:
    names, blocks = list(found), list(next(iter(found.values())))
    values = [[100 * found[name][block] for block in blocks] for name in names]
    picture = new_picture(1.5 + 0.75 * len(blocks), 3.5)
    axis = picture.subplots()
    image = axis.imshow(values, cmap="viridis", aspect="auto")
    low, high = min(map(min, values)), max(map(max, values))
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            dark = value < (low + high) / 2
            colour = "white" if dark else "black"
            axis.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour)
    axis.set_xticks(range(len(blocks)), [str(block) for block in blocks])
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("transformer block")
    axis.set_ylabel("stacked tokens")
    picture.colorbar(image, label="mAP, percent")
    write_picture(picture, output / "figure2.png")
