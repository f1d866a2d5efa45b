"""Damaged audio files of every main format: what `lab.formats` makes and decodes, as figures."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lab.torture.figures import Figures
from lab.torture.work import Work

_ROOM = "lab.formats"
_MODULE = "lab.formats.damage"
_KINDS = {"crashes": "crashes", "hangs": "hangs", "greedy": "let_in", "odd": "untold"}


def damaged_audio(work: Work) -> Figures:
    """Have damaged files decoded, format by format.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
        Memory that a damaged file took counts as let in, an error that is none of ours as untold.
    """
    figures = Figures()
    if find_spec(_ROOM) is None or find_spec(_MODULE) is None:
        work.tell(f"audio: {_MODULE} is not here")
        return figures
    damage = import_module(_MODULE)
    for name in damage.FORMATS:
        if time.monotonic() > work.deadline:
            work.tell(f"audio: the time is over after {figures.inputs} files, before {name}")
            break
        count = work.amount(20, 50)
        _add(figures, name, damage.damage_format(name, work.folder, count, work.seed, 1))
    return figures


def _add(figures: Figures, name: str, outcomes: Any) -> None:
    figures.inputs += outcomes.files
    for attribute, kind in _KINDS.items():
        found: list[Mapping[str, Any]] = getattr(outcomes, attribute)
        for one in found:
            figures.fault(kind, f"{name}: {json.dumps(dict(one))[:300]}")
