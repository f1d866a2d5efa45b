"""A small sound collection, what an undisturbed run makes of it, and what a disturbed one left."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from essentia_maest.collection.results import SUMMARY
from essentia_maest.files import UNFINISHED
from essentia_maest.making.conversion import convert_random
from lab.torture.child import MAEST, Ended, run
from lab.torture.figures import Figures
from lab.torture.kept import (
    FILES,
    FORMS,
    TABLES,
    Kept,
    difference,
    kept_in,
    same,
    segments_of_nothing,
)
from lab.torture.sound import music

_ENDINGS = ("wav", "flac", "mp3", "ogg")
_MEMORY_NAMES = ("maest", "psm_", "sem.", "pymp-")
_LONG_SECONDS = 1230
_OLD_SECONDS = 7200.0
RUN_TIMEOUT = 300.0
"""Seconds after which a run counts as hung; undisturbed it takes some five."""

# Parts of three tracks, so that a run of a few tracks writes several.
_SMALL_PARTS = """
import sys
try:
    from essentia_maest.collection import table_sink
    from essentia_maest.commands.cli import main
except KeyboardInterrupt:
    sys.exit(130)
table_sink.TableSink.__init__.__kwdefaults__["most_tracks"] = 3
sys.exit(main())
"""


@dataclass(frozen=True)
class Collection:
    """Tracks, a model, and the results that they have.

    Attributes
    ----------
    folder : Path
        Of the tracks.
    model : Path
        A tiny untrained one.
    form : str
        How results are kept: one of `FORMS`.
    results : mapping of str to bytes
        What an undisturbed run kept, but for its summary: see `Kept`.
    sizes : mapping of str to int
        File -> bytes of it.
    seconds : float
        How long that run took.
    """

    folder: Path
    model: Path
    form: str
    results: Mapping[str, bytes]
    sizes: Mapping[str, int]
    seconds: float

    @property
    def tracks(self) -> int:
        """How many there are."""
        return sum(name.endswith(".json") for name in self.results)

    def command(self, out: Path, *more: str) -> list[str]:
        """Give the words of a run.

        Parameters
        ----------
        out : Path
            The folder for results.
        more : str
            Further arguments.
        """
        maest = MAEST if self.form == FILES else (sys.executable, "-c", _SMALL_PARTS)
        return [
            *maest, "analyze", str(self.folder), "-o", str(out), "--model", str(self.model),
            "--block", "1", "--workers", "2", "--threads", "2", "--format", self.form, *more,
        ]  # fmt: skip


def make_collections(place: Path, tracks: int, *, long: bool) -> tuple[Collection, ...]:
    """Write tracks and a model, and analyse them in peace, into each form of results.

    Parameters
    ----------
    place : Path
        An empty folder.
    tracks : int
        How many short ones, of some seconds.
    long : bool
        One more, of over twenty minutes, which is decoded in pieces.

    Returns
    -------
    tuple of Collection
        The same tracks, for each of `FORMS`.

    Raises
    ------
    RuntimeError
        An undisturbed run failed.
    """
    folder = place / "tracks"
    folder.mkdir(parents=True)
    for number in range(tracks):
        seconds = (0.4, 6.0, 1.5, 3.1)[number // 4 % 4]
        path = folder / ("a", "b c")[number % 2] / f"{number:02}.{_ENDINGS[number % 4]}"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, music(seconds, 44100, 2, number), 44100)
    if long:
        piece = music(10, 8000, 1, tracks)
        sound = np.tile(piece, (_LONG_SECONDS // 10, 1))
        soundfile.write(folder / "long.flac", sound, 8000)
    model = convert_random("tiny", place / "tiny.onnx", seconds=5, classes=12)
    return tuple(_undisturbed(place, folder, model, form) for form in FORMS)


def _undisturbed(place: Path, folder: Path, model: Path, form: str) -> Collection:
    out = place / f"undisturbed {form}"
    command = Collection(folder, model, form, {}, {}, 0.0).command(out)
    ended = run(command, place, RUN_TIMEOUT)
    if ended.code != 0:
        raise RuntimeError(f"the undisturbed run failed: {ended.last_words}")
    sizes = {
        str(path.relative_to(out)): path.stat().st_size for path in out.rglob("*") if path.is_file()
    }
    return Collection(folder, model, form, kept_in(out, form).results, sizes, ended.seconds)


def check_whole(figures: Figures, label: str, out: Path, collection: Collection) -> None:
    """See that whatever has its final name is what the undisturbed run wrote.

    Parameters
    ----------
    figures : Figures
        Where faults are counted.
    label : str
        Said of them.
    out : Path
        The results.
    collection : Collection
        What is right.
    """
    _check(figures, label, kept_in(out, collection.form), collection)


def _check(figures: Figures, label: str, kept: Kept, collection: Collection) -> None:
    for words in kept.broken:
        figures.fault("losses", f"{label}: {words}")
    for name, content in kept.results.items():
        if name not in collection.results:
            figures.fault("scraps", f"{label}: {name} is no result")
        elif not same(name, content, collection.results[name]):
            words = difference(name, content, collection.results[name])
            figures.fault("losses", f"{label}: {name} {words}")


def check_all(figures: Figures, label: str, out: Path, collection: Collection) -> None:
    """See that the results are exactly those of the undisturbed run.

    Parameters
    ----------
    figures, label, out, collection
        See `check_whole`.
    """
    kept = kept_in(out, collection.form)
    _check(figures, label, kept, collection)
    missing = collection.results.keys() - kept.results.keys()
    if missing:
        figures.fault("losses", f"{label}: {sorted(missing)[0]} is missing", len(missing))


def check_summary(
    figures: Figures, label: str, out: Path, ended: Ended, found: int | None = None
) -> dict[str, Any]:
    """See that the summary fits the exit code, and adds up.

    Parameters
    ----------
    figures, label, out
        See `check_whole`.
    ended : Ended
        The run.
    found : int, optional
        How many tracks there were.

    Returns
    -------
    dict
        The summary; empty if there is none that can be read.
    """
    try:
        summary: dict[str, Any] = json.loads((out / SUMMARY).read_bytes())
    except (OSError, ValueError) as error:
        figures.fault("untold", f"{label}: exit code {ended.code}, no summary ({error})")
        return {}
    counts = summary["counts"]
    lost = [one for one in summary["failures"] if one["stage"] in ("decode", "analyze", "write")]
    parts = counts["analyzed"] + counts["resumed"] + counts["not_reached"] + len(lost)
    if counts["found"] != parts or found not in (None, counts["found"]):
        figures.fault("untold", f"{label}: the counts do not add up: {counts}, {found} found")
    stopped = summary["stopped"] is not None
    if stopped != (ended.code in (3, 130, 143)) or bool(summary["failures"]) > (ended.code != 0):
        told = f"stopped {summary['stopped']}, {len(summary['failures'])} failures"
        figures.fault("untold", f"{label}: exit code {ended.code}, but {told}")
    if ended.code == 0 and counts["not_reached"]:
        figures.fault("untold", f"{label}: exit code 0, {counts['not_reached']} not reached")
    return summary


def check_end(figures: Figures, label: str, ended: Ended, allowed: Sequence[int]) -> None:
    """See that a process ended as it may.

    Parameters
    ----------
    figures, label
        See `check_whole`.
    ended : Ended
        The process.
    allowed : sequence of int
        Exit codes; negative ones are signals that were sent.
    """
    if ended.hung:
        figures.fault("hangs", f"{label}: no end after {ended.seconds:.0f} s; {ended.last_words}")
    elif ended.code not in allowed:
        kind = "crashes" if ended.code is not None and ended.code < 0 else "untold"
        figures.fault(kind, f"{label}: exit code {ended.code}; {ended.last_words}")
    if ended.traceback:
        figures.fault("crashes", f"{label}: {ended.last_words}")
    if ended.left:
        figures.fault("hangs", f"{label}: processes left behind", len(ended.left))


def scraps_of(*folders: Path) -> list[Path]:
    """List what is left of files and folders that were to go away.

    Parameters
    ----------
    folders : Path
        Of results, and of temporary files.
    """
    return sorted(
        path
        for folder in folders
        for pattern in (UNFINISHED, ".maest-*.tmp", "maest-*", "pymp-*", "tmp*")
        for path in folder.rglob(pattern)
    )


def let_age(scraps: Sequence[Path]) -> None:
    """Make scraps hours old, so that a later run knows that nobody is at them any more.

    Parameters
    ----------
    scraps : sequence of Path
        As `scraps_of` gives them.
    """
    long_ago = time.time() - _OLD_SECONDS
    for path in scraps:
        os.utime(path, (long_ago, long_ago))


def resume(
    figures: Figures, label: str, out: Path, temporary: Path, collection: Collection
) -> None:
    """Go on with a disturbed run in peace: all is there then, and nothing else.

    Parameters
    ----------
    figures, label, out, collection
        See `check_whole`.
    temporary : Path
        The folder for temporary files that the disturbed run had.
    """
    let_age(scraps_of(out, temporary))
    label = f"{label}, resumed"
    command = collection.command(out, "--resume")
    ended = run(command, temporary.parent, RUN_TIMEOUT, {"TMPDIR": str(temporary)})
    check_end(figures, label, ended, [0])
    if not ended.hung:
        check_summary(figures, label, out, ended, collection.tracks)
    check_all(figures, label, out, collection)
    left = scraps_of(out, temporary)
    if collection.form == TABLES:
        left += segments_of_nothing(out)
    if left:
        figures.fault("scraps", f"{label}: {left[0].name}", len(left))


def shared_memory() -> set[str]:
    """Name what is in shared memory and could be of this package, or Python's for it."""
    try:
        return {name for name in os.listdir("/dev/shm") if name.startswith(_MEMORY_NAMES)}
    except OSError:
        return set()
