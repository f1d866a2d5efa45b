"""How a file is made: one recipe each, and the programs that cook."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from .signals import SECONDS, signal

_SECONDS = 60


class NotMadeError(Exception):
    """The encoder is not on this machine, or refuses."""


Maker = Callable[["Recipe", Path], None]
"""Writes the file."""


@dataclass(frozen=True)
class Recipe:
    """A file to be made.

    Parameters
    ----------
    container, codec : str
        As the tables name them.
    variant : str
        What is special beside rate and channels; who made it, if several do.
    ending : str
        Of the file's name, with its dot.
    rate : int
        In Hz.
    channels : int
    make : Maker
    quiet : bool
        60 dB less.
    parts : tuple of (int, int)
        Rate and channels of each part in a file that joins several; empty: there is one.
    seconds : float
        Length of each part.
    cut : float
        Seconds that the file lacks at its beginning.
    """

    container: str
    codec: str
    variant: str
    ending: str
    rate: int
    channels: int
    make: Maker
    quiet: bool = False
    parts: tuple[tuple[int, int], ...] = ()
    seconds: float = SECONDS
    cut: float = 0.0

    @property
    def sound(self) -> NDArray[np.float32]:
        """What is encoded, float32 [frames, channels]; of files that are joined, the first part."""
        return signal(self.rate, self.channels, self.quiet, self.seconds)

    @property
    def name(self) -> str:
        """A file name that no other recipe has."""
        words = [self.container, self.codec, self.variant, str(self.rate), f"{self.channels}ch"]
        words += ["quiet"] if self.quiet else []
        return "_".join(words).translate(str.maketrans(" /", "--")) + self.ending


def family(
    container: str,
    codec: str,
    ending: str,
    make: Maker,
    variant: str = "",
    *,
    rates: Iterable[int] = (44100,),
    channels: Iterable[int] = (2,),
    loudness: Iterable[bool] = (False,),
) -> Iterator[Recipe]:
    """Give the recipes for every rate with every number of channels.

    Parameters
    ----------
    container, codec, ending, make, variant
        See `Recipe`.
    rates, channels, loudness : iterable
        What is combined; `loudness` tells whether a file is quiet.

    Yields
    ------
    Recipe
    """
    rates, channels = tuple(rates), tuple(channels)
    for quiet in loudness:
        for rate in rates:
            for count in channels:
                yield Recipe(container, codec, variant, ending, rate, count, make, quiet)


def by_ffmpeg(*arguments: str) -> Maker:
    """Let the program ffmpeg write the file; the name's ending chooses the container."""

    def make(recipe: Recipe, path: Path) -> None:
        with _as_wave(recipe, "FLOAT") as source:
            _run(["ffmpeg", "-v", "error", "-y", "-i", source, *arguments, str(path)], path)

    return make


@dataclass(frozen=True)
class ByLibsndfile:
    """Lets libsndfile write the file.

    Parameters
    ----------
    form, subtype, endian : str
        In soundfile's words.
    """

    form: str
    subtype: str
    endian: str = "FILE"

    def __call__(self, recipe: Recipe, path: Path) -> None:
        """Write it."""
        try:
            soundfile.write(path, recipe.sound, recipe.rate, self.subtype, self.endian, self.form)
        except (soundfile.LibsndfileError, ValueError, TypeError) as error:
            raise NotMadeError(str(error)) from error


def by_program(*command: str, subtype: str = "PCM_16") -> Maker:
    """Let a program write the file ``{out}``; ``{in}`` is a WAV file of that subtype."""

    def make(recipe: Recipe, path: Path) -> None:
        with _as_wave(recipe, subtype) as source:
            _run([word.format(out=path, **{"in": source}) for word in command], path)

    return make


class _as_wave:  # noqa: N801 - used as a function
    """The sound of a recipe as a WAV file, as long as a program needs it."""

    def __init__(self, recipe: Recipe, subtype: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="formats-")
        self._path = Path(self._folder.name, "sound.wav")
        form = "WAVEX" if recipe.channels > 2 else "WAV"
        soundfile.write(self._path, recipe.sound, recipe.rate, subtype, format=form)

    def __enter__(self) -> str:
        return str(self._path)

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _run(command: list[str], makes: Path) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMadeError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode or not makes.is_file() or not makes.stat().st_size:
        makes.unlink(missing_ok=True)
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise NotMadeError(f"{command[0]}: {words[-1] if words else done.returncode}")
