"""Disks that are full, become read-only or go away while a run writes to them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

from essentia_maest.collection.results import SUMMARY
from lab.torture.child import Child, Ended
from lab.torture.collection import (
    RUN_TIMEOUT,
    Collection,
    check_end,
    check_summary,
    check_whole,
    make_collections,
    resume,
)
from lab.torture.figures import Figures
from lab.torture.spaces import can_mount, on_small_disk
from lab.torture.work import Work

_STOPPED = 3
_BLOCK = 4096


def disks(work: Work) -> Figures:
    """Take the room for results, or the whole disk, from a run, then let it be resumed.

    Without the right to mount, files are limited in size and folders removed only.

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
    ways: list[Callable[[_Try], Ended]] = [_small_files, _vanishing]
    if can_mount():
        ways += [_small_disk, _small_temporary, _read_only]
    else:
        work.tell("disks: nothing can be mounted here (it takes root)")
    for number in work.tries(work.amount(10, 30), figures):
        trial = _Try(work, number, collections)
        way = ways[number % len(ways)]
        faults = figures.faults
        ended = way(trial)
        label = f"try {number} ({trial.collection.form}, {way.__name__.strip('_')}, {trial.how})"
        check_end(figures, label, ended, [0, 1, 2, _STOPPED])
        check_whole(figures, label, trial.out, trial.collection)
        if ended.code == 0:  # then nothing may be missing, which the summary says too
            # A folder that was taken away when all was done has it.
            place = trial.gone if (trial.gone / SUMMARY).exists() else trial.out
            check_summary(figures, label, place, ended, trial.collection.tracks)
        elif not ended.words.strip():
            figures.fault("untold", f"{label}: exit code {ended.code} without a word")
        resume(figures, label, trial.out, trial.temporary, trial.collection)
        if figures.faults == faults:
            shutil.rmtree(trial.place)
    return figures


class _Try:
    """One run and its places."""

    def __init__(self, work: Work, number: int, collections: Sequence[Collection]) -> None:
        self.chance = work.chance(number)
        collection = self.collection = self.chance.choice(collections)
        self.place = work.folder / str(number)
        self.out, self.temporary = self.place / "out", self.place / "temporary"
        self.gone = self.place / "gone"
        self.temporary.mkdir(parents=True)
        self.how = ""
        self.moment = self.chance.uniform(0.3, 1.0) * collection.seconds
        self.needed = sum(-(-size // _BLOCK) * _BLOCK for size in collection.sizes.values())

    def run(self, command: list[str], **variables: str) -> Ended:
        child = Child(command, self.place, {"TMPDIR": str(self.temporary), **variables})
        return child.ended(RUN_TIMEOUT)


def _small_files(trial: _Try) -> Ended:
    """Allow no file larger than so many bytes."""
    largest = max(trial.collection.sizes.values())
    size = trial.chance.randrange(1, int(1.2 * largest))
    trial.how = f"files of {size} bytes"
    return trial.run(["prlimit", f"--fsize={size}", *trial.collection.command(trial.out)])


def _small_disk(trial: _Try) -> Ended:
    """Make the folder of results a disk that has room for some, or nearly all."""
    size = trial.chance.randrange(_BLOCK, int(1.3 * trial.needed)) // 1024
    trial.how = f"disk of {size} kB for {trial.needed // 1024}"
    disk = trial.place / "disk"
    disk.mkdir()
    trial.out.mkdir()
    return trial.run(on_small_disk(trial.collection.command(disk), disk, size, trial.out))


def _small_temporary(trial: _Try) -> Ended:
    """Make the folder for temporary files a disk with next to no room."""
    size = trial.chance.choice((4, 8, 64, 1024))
    trial.how = f"temporary files on a disk of {size} kB"
    disk = trial.place / "disk"
    disk.mkdir()
    command = trial.collection.command(trial.out)
    return trial.run(on_small_disk(command, disk, size, trial.temporary), TMPDIR=str(disk))


def _read_only(trial: _Try) -> Ended:
    """Make the disk of results read-only, as Linux does after errors."""
    trial.how = f"after {trial.moment:.2f} s"
    disk = trial.place / "disk"
    disk.mkdir()
    trial.out.mkdir()
    later = f"sleep {trial.moment:.3f}; mount -o remount,ro {shlex.quote(str(disk))}"
    command = trial.collection.command(disk)
    return trial.run(on_small_disk(command, disk, 100_000, trial.out, later))


def _vanishing(trial: _Try) -> Ended:
    """Take the folder of results away, and perhaps give its name to something else."""
    then = trial.chance.choice(("nothing", "file", "link"))
    trial.how = f"after {trial.moment:.2f} s, {then} in its place"
    child = Child(
        trial.collection.command(trial.out), trial.place, {"TMPDIR": str(trial.temporary)}
    )
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(trial.moment)
    if child.running() and trial.out.exists():
        trial.out.rename(trial.gone)
        if then == "file":
            trial.out.touch()
        elif then == "link":
            trial.out.symlink_to("nowhere")
    ended = child.ended(RUN_TIMEOUT)
    if trial.out.is_symlink() or trial.out.is_file():
        os.unlink(trial.out)
    return ended
