"""Accompaniments by MMA (Musical MIDI Accompaniment): chord charts played in a style."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.corpus.packages import debian_package
from lab.corpus.programs import run_program
from training.errors import DataError

_SHARE = Path("usr", "share", "mma")
_SECONDS_ALLOWED = 60
_GROOVE = re.compile(r"^\s*DefGroove\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_TIME = re.compile(r"^\s*Time\s+(\d+)(?:/(\d+))?", re.IGNORECASE | re.MULTILINE)
_SIGNATURE = re.compile(r"^\s*TimeSig\s+(\d+)[ /]+(\d+)", re.IGNORECASE | re.MULTILINE)
# BossaNovaIntro8, SalsaFillAB, LFusionIntroSus: for a few bars. Not DescendingJazz, SlowCountry.
_NOT_A_PIECE = re.compile(
    "(intro|Intro|INTRO|End|END|Ending|ENDING|Fill|FILL|Break|BREAK|Fermata|CountIn)(?![a-z])"
)
# Drums alone, and clicks.
_LEFT_OUT = ("zoom/", "stdlib/metronome", "stdlib/none")


@dataclass(frozen=True)
class Style:
    """A style file.

    Parameters
    ----------
    name : str
        Library and file, for instance ``stdlib/bossanova``.
    grooves : tuple of str
        Its patterns that can carry a whole piece.
    beats : int
        Of a bar, in MMA's counting.
    signature : (int, int), optional
        Time signature that the file states.
    """

    name: str
    grooves: tuple[str, ...]
    beats: int
    signature: tuple[int, int] | None


class Mma:
    """The program, fetched with its library of styles.

    Parameters
    ----------
    cache : path
        Where packages are kept.

    Raises
    ------
    DataError
        The package cannot be had or has no styles.
    """

    def __init__(self, cache: Path) -> None:
        root = debian_package("mma", cache)
        self._program = root / "usr" / "bin" / "mma"
        self._home = root / _SHARE
        library = self._home / "lib"
        styles = [_read_style(path, library) for path in sorted(library.rglob("*.mma"))]
        self.styles = tuple(style for style in styles if style is not None)
        if not self.styles:
            raise DataError(f"package mma has no styles below {library}")

    def play(self, chart: str, midi: Path) -> None:
        """Turn a chart into a MIDI file.

        Parameters
        ----------
        chart : str
            In MMA's language.
        midi : path
            The file to write.

        Raises
        ------
        DataError
            MMA refuses the chart; its own words.
        """
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "chart.mma"
            source.write_text(chart, encoding="utf-8")
            # MMA_HOME makes it leave the machine's own settings and styles alone
            environment = {**os.environ, "MMA_HOME": str(self._home), "HOME": folder}
            run_program(
                "mma",
                [sys.executable, str(self._program), "-f", str(midi), str(source)],
                seconds=_SECONDS_ALLOWED,
                task="a chart",
                makes=midi,
                environment=environment,
                folder=folder,
            )


def _read_style(path: Path, library: Path) -> Style | None:
    name = path.relative_to(library).with_suffix("").as_posix()
    if name.startswith(_LEFT_OUT):
        return None
    text = path.read_text(encoding="latin-1")
    grooves = [groove for groove in _GROOVE.findall(text) if not _NOT_A_PIECE.search(groove)]
    time, signature = _TIME.search(text), _SIGNATURE.search(text)
    if not grooves:
        return None
    stated = (int(signature[1]), int(signature[2])) if signature else None
    if stated is None and time and time[2]:
        stated = (int(time[1]), int(time[2]))
    # four is what MMA takes where a file says nothing
    return Style(name, tuple(dict.fromkeys(grooves)), int(time[1]) if time else 4, stated)
