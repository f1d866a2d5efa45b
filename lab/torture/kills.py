"""Processes of a run that are killed at any moment: nothing is lost, and nothing stays behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.torture.child import Child, Ended, workers_of
from lab.torture.collection import (
    RUN_TIMEOUT,
    Collection,
    check_end,
    check_summary,
    check_whole,
    make_collections,
    resume,
    shared_memory,
)
from lab.torture.figures import Figures
from lab.torture.work import Work

_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_TARGETS = ("parent", "group", "worker", "idle worker", "busy worker", "all workers")
_FOR_WORKERS = _TARGETS[2:]


def kills(work: Work) -> Figures:
    """Kill what belongs to a run, then let it be resumed.

    Parameters
    ----------
    work : Work
        What to work with.

    Returns
    -------
    Figures
    """
    figures = Figures()
    collections = make_collections(work.folder, 16, long=not work.short)
    before = shared_memory()
    for number in work.tries(work.amount(6, 50), figures):
        _try(figures, number, work, collections)
    if left := _left_in_memory(before):
        figures.fault("scraps", f"shared memory: {sorted(left)[0]}", len(left))
    return figures


def _try(figures: Figures, number: int, work: Work, collections: Sequence[Collection]) -> None:
    chance = work.chance(number)
    collection = collections[number % len(collections)]
    place = work.folder / str(number)
    out, temporary = place / "out", place / "temporary"
    temporary.mkdir(parents=True)
    target, sent = chance.choice(_TARGETS), chance.choice(_SIGNALS)
    if target in _FOR_WORKERS:
        sent = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    times = sorted(chance.uniform(0, collection.seconds) for _ in range(chance.choice((1, 1, 3))))
    if target in ("parent", "group"):
        times = times[:1]
    child = Child(collection.command(out), place, {"TMPDIR": str(temporary)})
    hit = 0
    for moment in times:
        time.sleep(max(0.0, child.started + moment - time.monotonic()))
        if child.running():
            hit += _send(child, target, sent, chance)
    ended = child.ended(RUN_TIMEOUT)
    label = f"try {number} ({collection.form}, {sent.name} to {target} after {times[0]:.2f} s)"
    faults = figures.faults
    _judge(figures, label, out, ended, target=target, sent=sent, hit=hit, collection=collection)
    resume(figures, label, out, temporary, collection)
    if figures.faults == faults:
        shutil.rmtree(place)


def _send(child: Child, target: str, sent: signal.Signals, chance: random.Random) -> int:
    """Send the signal; give how many processes got it."""
    if target in ("parent", "group"):
        child.send(sent, group=target == "group")
        return 1
    workers = workers_of(child.pid, child.pid)
    if target in ("idle worker", "busy worker"):
        wanted = target == "busy worker"
        workers = [one for one in workers if one[1] == wanted] or workers
    if target != "all workers" and workers:
        workers = [chance.choice(workers)]
    for pid, _ in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
    return len(workers)


def _judge(
    figures: Figures,
    label: str,
    out: Path,
    ended: Ended,
    *,
    target: str,
    sent: signal.Signals,
    hit: int,
    collection: Collection,
) -> None:
    check_whole(figures, label, out, collection)
    if target in _FOR_WORKERS:
        check_end(figures, label, ended, [0, 1, 3])
        summary = check_summary(figures, label, out, ended, collection.tracks)
        lost = len(summary.get("failures", ()))
        lost += summary.get("counts", {}).get("not_reached", 0)
        if lost > hit:
            words = f"{label}: {hit} killed, {lost} tracks lost; {ended.last_words}"
            figures.fault("losses", words, lost - hit)
        return
    if sent == signal.SIGINT and not ended.hung and ended.before_the_product:
        return
    # A signal may come before the command is there to take it, or after all is done.
    told = {signal.SIGKILL: -sent, signal.SIGTERM: 143, signal.SIGINT: 130}[sent]
    check_end(figures, label, ended, [0, told, -sent])
    if ended.code in (130, 143) and out.exists():
        check_summary(figures, label, out, ended, collection.tracks)


def _left_in_memory(before: set[str]) -> set[str]:
    """Name what has come into shared memory to stay; others may be working on this machine."""
    left = shared_memory() - before
    end = time.monotonic() + 10
    while left and time.monotonic() < end:
        time.sleep(0.5)
        left &= shared_memory()
    return left
