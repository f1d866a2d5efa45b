"""`python -m lab own head`: from fifty labelled files to a tagger, command by command."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from essentia_maest import open_results
from essentia_maest.files import write_whole
from essentia_maest.heads.examples import examples_of
from essentia_maest.heads.groups import groups_of
from essentia_maest.heads.labels import read_labels
from essentia_maest.machine import machine, versions
from lab.corpus.packages import default_cache
from lab.own_head.music import labelled_pieces, write_sheet
from lab.own_head.pooling import Pooling, compare_poolings
from lab.typed_commands import Ran, run_typed


def own_head(output: Path, *, cache: Path | None = None, seed: int = 0) -> Path:
    """Make a tagger of two styles from fifty pieces out of packages, and time every command.

    Fetches the packages (320 MB) unless the cache has them, writes a sheet of paths, styles and
    artists, and does what docs/guides/own_head.md does: `maest head fit` on it, `maest analyze
    --head` on the guitar of one of these songs alone. Then the same labels with each file as a
    group of its own, which is what leaks where groups are not told, and heads fitted on segments
    instead of track means.

    Parameters
    ----------
    output : path
        Folder for the sheet, the head and ``own_head.md``; what is in it of the same names goes.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.
    seed : int
        Of splits and intervals.

    Returns
    -------
    path
        ``own_head.md``.

    Raises
    ------
    DataError
        A package cannot be had, or a command failed.
    """
    began = machine()
    output.mkdir(parents=True, exist_ok=True)
    pieces = labelled_pieces(cache or default_cache())
    write_sheet(output / "labels.csv", pieces)
    for name in ("results", "new"):
        shutil.rmtree(output / name, ignore_errors=True)
    other = min(track.path for track, _ in pieces if track.artist == "Sectoid")
    shutil.copy(other.with_name("guitar.ogg"), output / "new.ogg")
    fit = "maest head fit labels.csv --results results -o style.onnx"
    ran = [
        run_typed(f"{fit} --seed {seed}", output),
        run_typed(f"{fit} --seed {seed} --json", output),
        run_typed("maest analyze new.ogg -o new --head style.onnx", output),
    ]
    alone = json.loads(run_typed(f"{fit} --seed {seed} --group none --json", output).said)
    labels, results = read_labels(output / "labels.csv"), open_results(output / "results")
    examples, _ = examples_of(labels, results)
    groups, _ = groups_of(examples, None)
    poolings = compare_poolings(examples, groups, results, seed)
    hours = sum(track.seconds for track, _ in pieces) / 3600
    text = _page(ran, (json.loads(ran[1].said), alone), poolings, hours, began)
    write_whole(output / "own_head.md", text)
    print(text)
    return output / "own_head.md"


def _page(
    ran: list[Ran],
    accounts: tuple[dict[str, Any], dict[str, Any]],
    poolings: list[Pooling],
    hours: float,
    began: str,
) -> str:
    first, again, tagged = ran
    grouped, alone = accounts
    lines = [
        "# A tagger from fifty real files",
        "",
        f"`python -m lab own head`: {grouped['tracks']} pieces, {hours:.1f} hours, of "
        f"{grouped['groups']} artists in two styles, from Debian's packages.",
        "",
        "| command | s | CPU s |",
        "|-|-|-|",
        f"| `{first.typed}`: analyses all files, then fits | {first.clock:.0f} | {first.cpu:.0f} |",
        f"| the same again: fits only | {again.clock:.0f} | {again.cpu:.0f} |",
        f"| `{tagged.typed}` | {tagged.clock:.0f} | {tagged.cpu:.0f} |",
        "",
        "What `maest head fit` said:",
        "",
        "```text",
        first.said.rstrip(),
        "```",
        "",
        "What the last command said of the guitar of one of these songs alone:",
        "",
        "```text",
        tagged.said.rstrip(),
        "```",
        "",
        "## What leaks where artists are on both sides",
        "",
        "| groups | ROC-AUC | accuracy | balanced accuracy |",
        "|-|-|-|-|",
    ]
    for name, account in (("artists", grouped), ("each file by itself", alone)):
        scores = account["scores"]
        cells = [
            f"{scores[one]['value']:.3f} ({scores[one]['low']:.3f} to {scores[one]['high']:.3f})"
            for one in ("ROC-AUC", "accuracy", "balanced accuracy")
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "## Fitted on track means or on segments",
        "",
        "| fitted on | given | ROC-AUC | accuracy | log loss |",
        "|-|-|-|-|-|",
    ]
    for one in poolings:
        area, accuracy = one.scores["ROC-AUC"].value, one.scores["accuracy"].value
        lines.append(
            f"| {one.fitted} | {one.given} | {area:.3f} | {accuracy:.3f} | {one.log_loss:.3f} |"
        )
    load = os.getloadavg()[0]
    return "\n".join([*lines, "", f"Machine: {began}, {load:.1f} after; {versions()}.", ""])
