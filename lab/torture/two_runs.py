"""Runs into one folder at the same time: none spoils what another wrote."""

from __future__ import annotations

import shutil
import signal
import time

from lab.torture.child import Child
from lab.torture.collection import (
    RUN_TIMEOUT,
    check_all,
    check_end,
    check_whole,
    make_collections,
    resume,
)
from lab.torture.figures import Figures
from lab.torture.work import Work

_REFUSED = 2


def two_runs(work: Work) -> Figures:
    """Begin a run while another writes into the same folder; sometimes one of them is killed.

    Both may do the work, or one may refuse to; in the end the results are those of one run.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    figures = Figures()
    collections = make_collections(work.folder, 12, long=False)
    for number in work.tries(work.amount(3, 15), figures):
        chance = work.chance(number)
        collection = collections[number % len(collections)]
        place = work.folder / str(number)
        out, temporary = place / "out", place / "temporary"
        temporary.mkdir(parents=True)
        more = chance.choice(((), ("--resume",)))
        label = f"try {number} ({collection.form}, {' '.join(more) or 'both anew'})"
        faults = figures.faults
        runs = []
        for begun in range(chance.choice((2, 2, 3))):
            if begun:
                time.sleep(chance.uniform(0, 0.8 * collection.seconds))
            command = collection.command(out, *more)
            runs.append(Child(command, place, {"TMPDIR": str(temporary)}))
        killed = chance.choice((None, None, runs[0], runs[-1]))
        if killed is not None:
            time.sleep(chance.uniform(0, 0.8 * collection.seconds))
            killed.send(signal.SIGKILL)
        ended = [run.ended(RUN_TIMEOUT) for run in runs]
        for run, end in zip(runs, ended, strict=True):
            signals = [-signal.SIGKILL] if run is killed else []
            check_end(figures, label, end, [0, _REFUSED, *signals])
            if end.code == _REFUSED and "; wanted: " not in end.words:
                figures.fault("untold", f"{label}: refused without a reason; {end.last_words}")
        whole = any(end.code == 0 for end in ended) and killed is None
        (check_all if whole else check_whole)(figures, label, out, collection)
        resume(figures, label, out, temporary, collection)
        if figures.faults == faults:
            shutil.rmtree(place)
    return figures
