"""Checkpoints of people who mean harm: nothing of them runs, and each is refused in time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.torture.asked import ROOT, Asked, DiedError, HungError
from lab.torture.child import LAST_WORDS
from lab.torture.collection import scraps_of
from lab.torture.figures import Figures
from lab.torture.hostile_folders import FOLDERS
from lab.torture.hostile_pickles import PICKLES
from lab.torture.work import Work

_WORKER = "lab.torture.checkpoint_worker"
_ANSWER_SECONDS = 200.0
_MOST_MEMORY = 3 << 30
_BOMB = "archive that is a bomb"
_SCARCE = 0.02


def checkpoints(work: Work) -> Figures:
    """Convert hostile files and folders.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    figures = Figures()
    good = work.folder / "good"
    good.mkdir()
    asked: Asked | None = None
    variables = {"PYTHONPATH": str(ROOT / "tests" / "python")}
    try:
        asked = Asked(_WORKER, [str(good)], variables)
        for number in work.tries(work.amount(40, 300), figures):
            asked = asked or Asked(_WORKER, [str(good)], variables)
            place = work.folder / str(number)
            place.mkdir()
            faults = figures.faults
            if not _try(figures, number, work, place=place, good=good, asked=asked):
                asked = None
            if figures.faults == faults:
                shutil.rmtree(place)
    finally:
        if asked is not None:
            asked.close()
    return figures


def _try(
    figures: Figures, number: int, work: Work, *, place: Path, good: Path, asked: Asked
) -> bool:
    """Convert one; False if the process that is asked is lost."""
    chance = work.chance(number)
    canary, out = place / "canary", place / "out"
    out.mkdir()
    kind = chance.choice([one for one in [*PICKLES, *FOLDERS] if one != _BOMB])
    if chance.random() < _SCARCE or number == 0:
        kind = _BOMB  # gigabytes have to be written to make it
    if kind in PICKLES:
        source = PICKLES[kind](place, chance, canary)
    else:
        source = FOLDERS[kind](place, chance, good)
    label = f"try {number} ({kind})"
    words = place / "words"
    question = {
        "arguments": ["convert", str(source), str(out / "model.onnx")],
        "words": str(words),
    }
    try:
        answer = asked.ask(question, _ANSWER_SECONDS)
    except (DiedError, HungError) as error:
        figures.fault("crashes", f"{label}: {error}")
        return False
    _judge(figures, label, answer, words.read_text(errors="replace"), out)
    if os.path.lexists(canary):
        figures.fault("let_in", f"{label}: what the file holds was run")
    return True


def _judge(figures: Figures, label: str, answer: Mapping[str, Any], words: str, out: Path) -> None:
    code, last = answer["code"], " ".join(words.split())[-LAST_WORDS:]
    if code is None:
        figures.fault("hangs", f"{label}: no end after {answer['seconds']:.0f} s")
    elif code < 0 or code > 3 or "Traceback" in words:
        figures.fault("crashes", f"{label}: exit code {code}; {last}")
    elif code and not words.strip():
        figures.fault("untold", f"{label}: exit code {code} without a word")
    elif code == 1:
        figures.fault("untold", f"{label}: exit code 1, which is for collections; {last}")
    if answer["memory"] > _MOST_MEMORY:
        figures.fault("let_in", f"{label}: took {answer['memory'] / 1e9:.1f} GB; {last}")
    if any(ord(letter) < 32 and letter not in "\n\t" for letter in words):
        figures.fault("let_in", f"{label}: control characters on the terminal")
    if code != 0 and any(out.iterdir()):
        found = sorted(path.name for path in out.iterdir())
        figures.fault("scraps", f"{label}: exit code {code}, but {found}", len(found))
    elif left := scraps_of(out):
        figures.fault("scraps", f"{label}: {left[0].name}", len(left))
