"""What is done once, and what it took of all processors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from essentia_maest.files import write_json


def timed(path: Path, folder: Path, action: Callable[[], object]) -> None:
    """Do something once, and note what it took of processors if it was not interrupted.

    Parameters
    ----------
    path : Path
        For the note; where it is, nothing is done.
    folder : Path
        That the action makes; where it is before, an earlier try was interrupted.
    action : callable
    """
    if path.is_file():
        return
    whole = not folder.exists()
    before = os.times()
    action()
    after = os.times()
    seconds = sum(after[:4]) - sum(before[:4])
    write_json(path, {"processor_seconds": seconds if whole else None})


def seconds_of(path: Path) -> float | None:
    """Read what was noted; None where it was interrupted."""
    found: float | None = json.loads(path.read_text(encoding="utf-8"))["processor_seconds"]
    return found
