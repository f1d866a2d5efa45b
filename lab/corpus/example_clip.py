"""The clip that ships with the package: half a minute of swing, written and rendered here.

Chords and melody are ours. MMA's style file accompanies them; it is of the default corpus' test
split, so that no model of ours has heard it in training.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from mutagen.ogg import OggPage
from numpy.typing import NDArray

from essentia_maest.files import write_whole
from lab.corpus.fluidsynth import TRAINING_FONTS, find_fluidsynth
from lab.corpus.midi import add_part, read_midi
from lab.corpus.mma import Mma
from lab.corpus.packages import default_cache
from training.errors import DataError

SAMPLE_RATE = 44100
SECONDS = 29.95
"""A little less than 30: FFmpeg, which decodes whole Vorbis blocks, adds some 20 ms."""
STYLE = "stdlib/swing"
FONT = TRAINING_FONTS[0]
"""FluidR3: its licence, MIT, lets the sound be given away with no condition that we miss."""

_TEMPO = 128  # sixteen bars of four beats are 30 s
_FADE_SECONDS = 2.0
_PEAK = 0.8  # Vorbis overshoots what it is given
_TENOR_SAXOPHONE = 66
_CHORDS = (
    *("FM7", "Dm7", "Gm7", "C7"),
    *("Am7", "D7", "Gm7", "C7"),
    *("BbM7", "Bbm6", "FM7", "D7"),
    *("Gm7", "C7", "F6", "F6"),
)
_ENDING_BARS = 2
# A bar each: note (or - for a rest) and its length in eighths.
_MELODY = (
    "C5 2 A4 1 F4 1 A4 2 C5 2",
    "D5 3 C5 1 A4 4",
    "Bb4 2 A4 1 G4 1 Bb4 2 D5 2",
    "E5 3 D5 1 C5 2 - 2",
    "C5 2 A4 1 C5 1 E5 2 G5 2",
    "F#5 3 E5 1 D5 2 C5 2",
    "Bb4 1 C5 1 D5 1 F5 1 D5 2 Bb4 2",
    "G4 3 A4 1 Bb4 2 - 2",
    "D5 2 - 1 F5 1 D5 2 A4 2",
    "Db5 2 - 1 F5 1 Db5 2 G4 2",
    "C5 3 A4 1 C5 1 D5 1 C5 2",
    "A4 2 F#4 2 C5 4",
    "Bb4 1 A4 1 G4 1 Bb4 1 D5 2 F5 2",
    "E5 1 D5 1 C5 1 Bb4 1 G4 2 E4 2",
    "F4 2 A4 1 C5 1 D5 4",
    "C5 8",
)
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "#": 1, "b": -1}
_BLOCK = 1 << 14


def make_example_clip(path: Path, *, cache: Path | None = None) -> Path:
    """Render the example clip: 30 s of swing in stereo at 44.1 kHz, as Ogg Vorbis.

    The same versions of the programs give the same bytes.

    Parameters
    ----------
    path : path
        The ``.ogg`` file to write.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    DataError
        A package cannot be had, a program fails, what it made is silent or too short, or the file
        cannot be written.
    """
    path = Path(path)
    cache = Path(cache) if cache is not None else default_cache()
    with tempfile.TemporaryDirectory() as folder:
        piece = Path(folder) / "piece.mid"
        Mma(cache).play(chart(), piece)
        midi = read_midi(piece)
        add_part(midi, _TENOR_SAXOPHONE, melody())
        midi.save(piece)
        rendered = find_fluidsynth(cache).render_stereo(piece, FONT.fetch(cache), SAMPLE_RATE)
        made = Path(folder) / "example.ogg"
        _write_vorbis(made, _finish(rendered))
        content = b"".join(_with_one_serial_number(made))
    try:
        write_whole(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def chart() -> str:
    """Give the accompaniment in MMA's language."""
    bars = [f"{bar + 1} {chord}" for bar, chord in enumerate(_CHORDS)]
    head = ["RndSeed 1", f"Tempo {_TEMPO}", "Volume mp", f"Use {STYLE}", "Groove SwingWalk"]
    lines = [*head, *bars[:-_ENDING_BARS], "Groove SwingEnd", *bars[-_ENDING_BARS:]]
    return "\n".join(lines) + "\n"


def melody() -> list[tuple[float, float, int, int]]:
    """Give the melody.

    Returns
    -------
    list of (start, length, pitch, velocity)
        Start and length in beats.
    """
    notes = []
    eighth = 0
    for bar in _MELODY:
        words = bar.split()
        for name, length in zip(words[::2], map(int, words[1::2]), strict=True):
            start, end = _swung(eighth), _swung(eighth + length)
            if name != "-":
                velocity = 120 if eighth % 4 == 0 else 106
                notes.append((start, 0.9 * (end - start), _pitch(name), velocity))
            eighth += length
    return notes


def _swung(eighth: int) -> float:
    """Give an eighth's place in beats; every second one comes late, after two thirds."""
    return eighth // 2 + (2 / 3 if eighth % 2 else 0.0)


def _pitch(name: str) -> int:
    return sum(_SEMITONES[letter] for letter in name[:-1]) + 12 * (int(name[-1]) + 1)


def _finish(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut to length, fade out, bring the peak to where nothing is clipped."""
    samples = round(SECONDS * SAMPLE_RATE)
    peak = float(np.abs(audio).max(initial=0.0))
    if len(audio) < samples or not peak:
        raise DataError(
            f"the example clip: fluidsynth gave {len(audio) / SAMPLE_RATE:.1f} s with a peak of "
            f"{peak:.2f}; wanted sound, {SECONDS:g} s of it"
        )
    fading = round(_FADE_SECONDS * SAMPLE_RATE)
    gain = np.full(samples, _PEAK / peak)
    gain[-fading:] *= np.cos(np.linspace(0, np.pi / 2, fading)) ** 2
    finished: NDArray[np.float32] = (audio[:samples] * gain[:, None]).astype(np.float32)
    return finished


def _write_vorbis(path: Path, audio: NDArray[np.float32]) -> None:
    channels = audio.shape[1]
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, channels, "VORBIS", format="OGG") as file:
        # libsndfile overflows its stack when it is given a whole piece at once
        for start in range(0, len(audio), _BLOCK):
            file.write(audio[start : start + _BLOCK])


def _with_one_serial_number(path: Path) -> Iterator[bytes]:
    """Give the pages of an Ogg file, numbered as its stream 1: libsndfile draws by the clock."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            page = OggPage(file)
            page.serial = 1
            yield page.write()
