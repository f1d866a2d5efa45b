"""Symbolic music, rendered: tracks whose instruments, genre, metre and tempo are known."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zlib import crc32

import mido  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from essentia_maest.front_end import SAMPLE_RATE
from lab.corpus.charts import LEADS, draw_chart, draw_melody
from lab.corpus.fluidsynth import TEST_FONT, TRAINING_FONTS, SoundFont, find_fluidsynth
from lab.corpus.genres import genre_of
from lab.corpus.midi import (
    add_part,
    double_part,
    end_hanging_notes,
    instruments_heard,
    read_midi,
)
from lab.corpus.mma import Mma, Style
from lab.corpus.packages import debian_package
from lab.corpus.tunes import Tune, play_tune, read_tunes, tempo_range, with_tempo
from training.errors import DataError
from training.recipe.randomness import Purpose, numpy_generator

SECONDS = 30.0
TEMPO_BANDS = ((80, "below 80"), (110, "80 to 110"), (140, "110 to 140"))
"""Upper end in beats per minute, not included, and name; faster is `FASTEST`."""

FASTEST = "140 and above"

_METRES = {3: "triple", 6: "compound"}
_SILENCE = 1e-3
_MELODY_SHARE = 0.7
_DOUBLED_SHARE = 0.4
# Loudness of a track, in dB below full scale: recordings differ as much.
_LOUDNESS = (-28.0, -14.0)
# MuseScore's font is compressed, which takes several times as long to render.
_FONT_SHARES = (0.45, 0.45, 0.1)
_TUNE_LEADS = (0, 6, 21, 23, 24, 25, 40, 46, 68, 71, 72, 73, 74, 75, 79, 104, 105, 109, 110)


@dataclass(frozen=True)
class Recipe:
    """What a rendered track is made from.

    Parameters
    ----------
    kind : {"style", "tune"}
    source : str
        Name of the style, or identity of the tune.
    number : int
        Which of the tracks made from that source.
    group : str
        Style file or work: in one split.
    split : str
    """

    kind: Literal["style", "tune"]
    source: str
    number: int
    group: str
    split: str

    @property
    def identity(self) -> str:
        """Unique, and the same on every machine."""
        return f"rendered/{self.kind}/{self.source}-{self.number}"


@dataclass(frozen=True)
class Rendered:
    """A track, made.

    Parameters
    ----------
    audio : float32 [samples]
        Mono, 16 kHz.
    tags : tuple of str
        ``Family---Name`` each.
    families : tuple of str
        The families that are known of it.
    font : str
        Name of the sound font.
    """

    audio: NDArray[np.float32]
    tags: tuple[str, ...]
    families: tuple[str, ...]
    font: str


class Renderer:
    """Programs and sources, fetched.

    Parameters
    ----------
    cache : path
        Where packages are kept.
    seed : int

    Raises
    ------
    DataError
        A package cannot be had.
    """

    def __init__(self, cache: Path, seed: int) -> None:
        self._cache = cache
        self._seed = seed
        self._mma = Mma(cache)
        self._fluidsynth = find_fluidsynth(cache)
        # what is missing is to be known now, not track by track
        debian_package("abcmidi", cache)
        self._fonts = {font: font.fetch(cache) for font in (*TRAINING_FONTS, TEST_FONT)}
        self.styles: dict[str, Style] = {style.name: style for style in self._mma.styles}
        self.tunes: dict[str, Tune] = {tune.identity: tune for tune in read_tunes(cache)}

    def make(self, recipe: Recipe) -> Rendered:
        """Make a track.

        Parameters
        ----------
        recipe : Recipe

        Returns
        -------
        Rendered

        Raises
        ------
        DataError
            A program refuses it, or it is shorter than 20 s.
        """
        random = numpy_generator(self._seed, Purpose.CORPUS, crc32(recipe.identity.encode()))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "piece.mid"
            if recipe.kind == "style":
                midi, known = self._play_style(self.styles[recipe.source], path, random)
            else:
                midi, known = self._play_tune(self.tunes[recipe.source], path, random)
            end_hanging_notes(midi)
            midi.save(path)
            font = _draw_font(recipe.split, random)
            audio = self._fluidsynth.render(path, self._fonts[font])
        known["Instrument"] = instruments_heard(midi, SECONDS)
        return Rendered(
            audio=_finish(audio, recipe, float(random.uniform(*_LOUDNESS))),
            tags=tuple(f"{family}---{name}" for family, names in known.items() for name in names),
            families=tuple(known),
            font=font.name,
        )

    def _play_style(
        self, style: Style, path: Path, random: np.random.Generator
    ) -> tuple[mido.MidiFile, dict[str, tuple[str, ...]]]:
        # longer than asked by a tenth: what is silent at the beginning is cut
        chart = draw_chart(style, 1.1 * SECONDS, random)
        self._mma.play(chart.text, path)
        midi = read_midi(path)
        if random.random() < _MELODY_SHARE:
            add_part(midi, int(random.choice(LEADS)), draw_melody(chart, random))
        known: dict[str, tuple[str, ...]] = {}
        genre, metre = genre_of(style.name), style_metre(style)
        if genre is not None:
            known["Genre"] = (genre,)
        if metre is not None:
            known["Metre"] = (metre,)
        if metre != "compound":
            known["Tempo"] = (tempo_band(chart.tempo),)
        return midi, known

    def _play_tune(
        self, tune: Tune, path: Path, random: np.random.Generator
    ) -> tuple[mido.MidiFile, dict[str, tuple[str, ...]]]:
        tempo = int(random.integers(*tempo_range(tune), endpoint=True))
        lead, second = random.choice(_TUNE_LEADS, 2, replace=False)
        play_tune(with_tempo(tune, tempo, int(lead)), path, self._cache)
        midi = read_midi(path)
        if random.random() < _DOUBLED_SHARE:
            double_part(midi, int(second), int(random.integers(-1, 2)))
        # which beat of a reel counts is a matter of opinion: no tempo
        return midi, {"Genre": (tune.kind,), "Metre": (tune_metre(tune.metre),)}


def style_metre(style: Style) -> str | None:
    """Name the metre of a style: quadruple, triple or compound; None where that is in doubt."""
    if style.signature is not None and style.signature[1] == 8:
        return "compound"
    if "128" in style.name:  # 12/8, written in 4/4
        return "compound"
    return "quadruple" if style.beats == 4 else _METRES.get(style.beats)


def tune_metre(written: str) -> str:
    """Name the metre of a tune; two beats to a bar count as quadruple, which reels have, too."""
    top, _, bottom = written.partition("/")
    if bottom == "8" and top != "3":
        return "compound"
    return "triple" if top == "3" else "quadruple"


def tempo_band(tempo: float) -> str:
    """Name the band of a tempo in beats per minute."""
    return next((name for end, name in TEMPO_BANDS if tempo < end), FASTEST)


def _draw_font(split: str, random: np.random.Generator) -> SoundFont:
    drawn = int(random.choice(len(TRAINING_FONTS), p=_FONT_SHARES))
    return TEST_FONT if split == "test" else TRAINING_FONTS[drawn]


def _finish(audio: NDArray[np.float32], recipe: Recipe, decibels: float) -> NDArray[np.float32]:
    """Cut what is silent before the music and what is over 30 s; bring to a loudness."""
    sounding = np.flatnonzero(np.abs(audio) > _SILENCE)
    if len(sounding):
        audio = audio[sounding[0] : sounding[-1] + 1][: round(SECONDS * SAMPLE_RATE)]
    if not len(sounding) or len(audio) <= 20 * SAMPLE_RATE:
        raise DataError(f"{recipe.identity} sounds for {len(audio) / SAMPLE_RATE:.1f} s only")
    loudness = np.sqrt(np.mean(np.square(audio, dtype=np.float64)))
    gain = min(10 ** (decibels / 20) / loudness, 0.99 / np.abs(audio).max())
    louder: NDArray[np.float32] = (gain * audio).astype(np.float32)
    return louder
