"""Runs where something that others take for granted is missing: logs, folders, files, rights."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from lab.torture.child import MAEST, Child
from lab.torture.collection import (
    RUN_TIMEOUT,
    Collection,
    check_all,
    check_end,
    check_whole,
    make_collections,
    resume,
)
from lab.torture.figures import Figures
from lab.torture.spaces import can_mount, with_mounts
from lab.torture.work import Work

_ANALYZE = "ANALYZE"
"""Stands in a line for the whole command; MAEST for its first words."""


@dataclass(frozen=True)
class Surrounding:
    """What is missing.

    Attributes
    ----------
    line : str
        For bash.
    codes : tuple of int
        What it may end with; after 0 all results are there.
    mounts : str
        Lines for the shell that come before, in a space of its own.
    silent : bool
        Nothing can be said.
    """

    line: str
    codes: tuple[int, ...] = (0,)
    mounts: str = ""
    silent: bool = False


_LOST_LOGS = (
    ">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-", "2>/dev/full", ">/dev/full 2>&1",
    "2> >(true)",    "2> >(head -1 >/dev/null)", "2> >(head -c 1 >/dev/null)",
)  # fmt: skip

_SURROUNDINGS = [
    *(
        Surrounding(f"{_ANALYZE} {lost}", silent="2>" in lost or "&1" in lost)
        for lost in _LOST_LOGS
    ),
    Surrounding(f"{_ANALYZE} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}", silent=True),
    Surrounding(f"{_ANALYZE} --verbose 2>&1 | head -3; exit ${{PIPESTATUS[0]}}", silent=True),
    Surrounding(f"{_ANALYZE} --verbose 2>/dev/full", silent=True),
    Surrounding(f"mkdir gone; cd gone; rmdir ../gone; {_ANALYZE}", (2,)),
    Surrounding(f"env -i {_ANALYZE}"),
    Surrounding(f"env -u HOME TMPDIR=/nonexistent {_ANALYZE}"),
    Surrounding(f"env TMPDIR=relative {_ANALYZE}"),
    *(Surrounding(f"env LC_ALL={name} {_ANALYZE}") for name in ("C", "POSIX", "tr_TR.UTF-8", "x")),
    Surrounding(f"env PYTHONIOENCODING=ascii PYTHONUTF8=0 LC_ALL=C {_ANALYZE}"),
    *(Surrounding(f"ulimit -n {count}; {_ANALYZE}", (0, 1, 2, 3)) for count in (8, 16, 24, 48, 96)),
    Surrounding(f"umask 777; {_ANALYZE}", (0, 1, 2, 3)),
    Surrounding(f"umask 077; {_ANALYZE}"),
    Surrounding(f"trap '' PIPE HUP TERM; {_ANALYZE}"),
    Surrounding("MAEST analyze nothing -o OUT", (2,)),
    Surrounding("MAEST info default >&-", (3,)),
    Surrounding("MAEST info default >/dev/full", (3,)),
    Surrounding("MAEST models --nonsense 2>/dev/full", (2,), silent=True),
]

# Makes folders read-only, all but the place of the try, which may be in one of them.
_LOCK = (
    "mount --bind PLACE /mnt && for one in {}; do "
    "mount --bind $one $one && mount -o remount,bind,ro $one; done && mount --bind /mnt PLACE"
)

_WITH_MOUNTS = [
    Surrounding(_ANALYZE, mounts=_LOCK.format("/tmp")),
    Surrounding(f"env -u TMPDIR {_ANALYZE}", mounts=_LOCK.format("/tmp /var/tmp")),
    Surrounding(f"env -u TMPDIR {_ANALYZE}", (0, 2, 3), _LOCK.format("/tmp /var/tmp /dev/shm")),
    Surrounding(f"cd /; env -u TMPDIR {_ANALYZE}", (0, 2, 3), _LOCK.format("/")),
    Surrounding(_ANALYZE, mounts=_LOCK.format("/")),
    Surrounding(_ANALYZE, (0, 2, 3), "mount -t tmpfs -o size=4k tmpfs /dev/shm"),
    Surrounding(_ANALYZE, (2, 3), "mount --bind PLACE PLACE; mount -o remount,bind,ro PLACE"),
    Surrounding(_ANALYZE, (0, 2, 3), "mount -t tmpfs -o ro tmpfs /proc"),
]


def surroundings(work: Work) -> Figures:
    """Run where something is missing; what can be done is done, and what cannot is said.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    figures = Figures()
    known = [*_SURROUNDINGS, *(_WITH_MOUNTS if can_mount() else ())]
    if not can_mount():
        work.tell("surroundings: nothing can be mounted here (it takes root)")
    collections = make_collections(work.folder, 4, long=False)
    numbers = list(range(len(known)))
    if work.short:  # another choice with each seed
        numbers = sorted(work.chance("choice").sample(numbers, 12))
    for number in work.tries(numbers, figures):
        _try(figures, number, known[number], work, collections)
    return figures


def _try(
    figures: Figures,
    number: int,
    one: Surrounding,
    work: Work,
    collections: Sequence[Collection],
) -> None:
    collection = work.chance(number).choice(collections)
    place = work.folder / str(number)
    out, temporary = place / "out", place / "temporary"
    temporary.mkdir(parents=True)
    (place / "relative").mkdir()
    line = one.line.replace(_ANALYZE, shlex.join(collection.command(out)))
    line = line.replace("MAEST", shlex.join(MAEST)).replace("OUT", shlex.quote(str(out)))
    command = ["bash", "-c", line]
    if one.mounts:
        command = with_mounts(command, one.mounts.replace("PLACE", shlex.quote(str(place))))
    ended = Child(command, place, {"TMPDIR": str(temporary)}).ended(RUN_TIMEOUT)
    label = f"try {number} ({collection.form}, {one.mounts or one.line})"
    faults = figures.faults
    check_end(figures, label, ended, one.codes)
    if ended.code and not one.silent and not ended.words.strip():
        figures.fault("untold", f"{label}: exit code {ended.code} without a word")
    if _ANALYZE not in one.line:
        return
    (check_all if ended.code == 0 else check_whole)(figures, label, out, collection)
    resume(figures, label, out, temporary, collection)
    if figures.faults == faults:
        shutil.rmtree(place)
