"""Chord charts and melodies drawn at random, for MMA to accompany."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lab.corpus.genres import genre_of
from lab.corpus.mma import Style

_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

# Progressions by semitones above the key and the chord's kind; one chord per bar.
_MAJOR = (
    "0 9m 5 7",
    "0 7 9m 5",
    "0 5 7 0",
    "0 0 5 0 7 5 0 7",
    "9m 5 0 7",
    "0 4m 5 7",
    "0 5 0 7 0 5 7 0",
    "0 10 5 0",
    "0 2m 7 0",
    "5 7 4m 9m 2m 7 0 0",
    "0 7 9m 4m 5 0 5 7",
    "0 0 5 5 0 0 7 7",
)
_MINOR = (
    "0m 8 3 10",
    "0m 5m 7 0m",
    "0m 10 8 7",
    "0m 0m 5m 0m 7 5m 0m 7",
    "0m 3 10 5",
    "0m 7 0m 7 5m 0m 7 0m",
    "0m 10 0m 5m",
)
_JAZZ = (
    "2m 7 0 9m",
    "0 9m 2m 7",
    "2m 7 0 0 0m 5 10 10",
    "0 2 2m 7",
    "0m 5m 2m 7 0m",
    "4m 9 2m 7",
    "0 5 0 0 5 5 0 9m 2m 7 0 7",
    "0 4 9 2 7 2m 7 0",
)
_RICH_CHORDS = frozenset(
    (
        "jazz",
        "jazz waltz",
        "swing",
        "fusion",
        "bossa nova and samba",
        "show tune",
        "ambient",
        "foxtrot and quickstep",
        "soul and rhythm and blues",
        "funk",
    )
)

# Beats a minute; where a style's own name says nothing of it.
_TEMPI = {
    "ambient": (60, 100),
    "ballad": (56, 92),
    "dance": (116, 142),
    "hip hop": (78, 104),
    "metal": (110, 180),
    "polka": (100, 140),
    "ragtime and dixieland": (140, 220),
    "foxtrot and quickstep": (120, 210),
    "spiritual": (60, 110),
    "twist": (140, 176),
    "waltz": (84, 180),
    "jazz waltz": (100, 180),
    "jazz": (90, 220),
    "swing": (100, 210),
    "march": (100, 126),
}
_OTHER_TEMPO = (84, 150)
_SLOW, _FAST = (56, 84), (160, 230)

LEADS = (0, 4, 11, 12, 16, 21, 22, 24, 26, 27, 29, 30, 40, 42, 52, 56, 57, 60, 64, 65, 66, 68, 71,
         72, 73, 74, 75, 80, 81, 82, 104, 105)  # fmt: skip
"""General MIDI programs that melodies are given to."""

_VOICINGS = ("", "Chord Voicing Mode=Optimal", "Chord Compress 1", "Chord Voicing Mode=Compressed")


@dataclass(frozen=True)
class Chart:
    """A piece to be played.

    Parameters
    ----------
    text : str
        In MMA's language.
    tempo : int
        Beats a minute.
    beats : int
        Of a bar.
    chords : tuple of (int, bool)
        Root (semitones above C) and whether it is minor, bar by bar.
    """

    text: str
    tempo: int
    beats: int
    chords: tuple[tuple[int, bool], ...]


def draw_chart(style: Style, seconds: float, random: np.random.Generator) -> Chart:
    """Write a chart for a style: groove, key, progression, tempo and voicing drawn at random.

    Parameters
    ----------
    style : Style
    seconds : float
        How long the piece lasts at least.
    random : numpy.random.Generator

    Returns
    -------
    Chart
    """
    genre = genre_of(style.name) or ""
    tempo = int(random.integers(*_tempo_range(style, genre), endpoint=True))
    bars = math.ceil(seconds * tempo / 60 / style.beats) + 1
    rich = genre in _RICH_CHORDS
    progressions = _JAZZ + _MAJOR[:4] if rich else _MAJOR + _MINOR
    progression = str(random.choice(progressions)).split()
    key = int(random.integers(12))
    chords = []
    for bar in range(bars):
        step = progression[bar % len(progression)]
        chords.append(((key + int(step.rstrip("m"))) % 12, step.endswith("m")))
    lines = [
        f"RndSeed {int(random.integers(1 << 30))}",
        f"Tempo {tempo}",
        f"Use {style.name}",
        f"Groove {random.choice(style.grooves)}",
        str(random.choice(_VOICINGS)),
    ]
    for bar, (root, minor) in enumerate(chords):
        lines.append(f"{bar + 1} {_name(root, minor, rich, dominant=(root - key) % 12 == 7)}")
    return Chart("\n".join(lines) + "\n", tempo, style.beats, tuple(chords))


def draw_melody(chart: Chart, random: np.random.Generator) -> list[tuple[float, float, int, int]]:
    """Draw a melody over a chart: chord notes on the bar's beginning, steps between.

    Parameters
    ----------
    chart : Chart
    random : numpy.random.Generator

    Returns
    -------
    list of (start, length, pitch, velocity)
        Start and length in beats.
    """
    notes = []
    pitch = int(random.integers(62, 80))
    low, high = pitch - 10, pitch + 10
    density = float(random.uniform(0.25, 0.9))
    for bar, (root, minor) in enumerate(chart.chords):
        triad = {root % 12, (root + (3 if minor else 4)) % 12, (root + 7) % 12}
        third = 3 if minor else 4
        scale = {(root + step) % 12 for step in (0, 2, third, 5, 7, 9, 10)}
        if random.random() < 0.12:  # a bar's rest
            continue
        beat = 0.0
        while beat < chart.beats:
            left = chart.beats - beat
            length = min(left, float(random.choice((0.5, 1.0, 2.0), p=_lengths(density))))
            allowed = triad if beat == 0 else scale
            near = [
                p for p in range(max(low, pitch - 5), min(high, pitch + 5) + 1) if p % 12 in allowed
            ]
            if near and random.random() > 0.1:
                pitch = int(random.choice(near))
                start = bar * chart.beats + beat
                notes.append((start, 0.92 * length, pitch, int(random.integers(78, 112))))
            beat += length
    return notes


def _lengths(density: float) -> list[float]:
    return [0.6 * density, 0.4, 0.6 * (1 - density)]


def _tempo_range(style: Style, genre: str) -> tuple[int, int]:
    if style.signature is not None and style.signature[1] == 8 and style.beats == 6:
        return 150, 210  # MMA counts eighths here
    if "slow" in style.name:
        return _SLOW
    if "fast" in style.name:
        return _FAST
    return _TEMPI.get(genre, _OTHER_TEMPO)


def _name(root: int, minor: bool, rich: bool, *, dominant: bool) -> str:
    kind = "m" if minor else ""
    if rich:
        kind = "m7" if minor else "7" if dominant else "M7"
    elif dominant and not minor:
        kind = "7"
    return _KEYS[root] + kind
