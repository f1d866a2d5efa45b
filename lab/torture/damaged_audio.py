"""Damaged audio files of every format: what `lab.formats` makes and measures, as figures."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from lab.torture.figures import Figures
from lab.torture.work import Work

_ROOM, _FUNCTION = "lab.formats.damaged", "damaged_files"


def damaged_audio(work: Work) -> Figures:
    """Take the figures of the room that knows formats.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    if find_spec(_ROOM) is None:
        work.tell(f"audio: {_ROOM} is not here")
        return Figures()
    function = getattr(import_module(_ROOM), _FUNCTION)
    return Figures.from_json(function(work.folder, seed=work.seed, deadline=work.deadline))
