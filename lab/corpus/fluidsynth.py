"""Render MIDI files with fluidsynth and the sound fonts of Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from essentia_maest.front_end import SAMPLE_RATE
from lab.corpus.packages import debian_package
from lab.corpus.programs import run_program
from training.errors import DataError

_SECONDS_ALLOWED = 120


@dataclass(frozen=True)
class SoundFont:
    """A General MIDI sound font.

    Parameters
    ----------
    name : str
        In words, for the data set's records.
    package : str
        The Debian package that has it.
    path : str
        Below the package's root.
    licence : str
    """

    name: str
    package: str
    path: str
    licence: str

    def fetch(self, cache: Path) -> Path:
        """Return the sound font's file, its package fetched if the cache lacks it.

        Raises
        ------
        DataError
            The package cannot be had, or has no such file.
        """
        path = debian_package(self.package, cache) / self.path
        if not path.is_file():
            raise DataError(f"package {self.package} has no sound font {self.path}")
        return path


TRAINING_FONTS = (
    SoundFont("FluidR3", "fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2", "MIT"),
    SoundFont("Csound", "csound-soundfont", "usr/share/sounds/sf2/sf_GMbank.sf2", "public domain"),
    SoundFont(
        "MuseScore General",
        "musescore-general-soundfont-small",
        "usr/share/sounds/sf3/MuseScore_General_Lite.sf3",
        "MIT, parts public domain or CC0",
    ),
)
TEST_FONT = SoundFont(
    "TimGM6mb", "timgm6mb-soundfont", "usr/share/sounds/sf2/TimGM6mb.sf2", "GPL-2"
)
"""Heard in the test split only, and there is no other in that split."""


@dataclass(frozen=True)
class Fluidsynth:
    """The program, wherever it was found.

    Parameters
    ----------
    program : str
    libraries : tuple of str
        Folders of shared libraries that it needs besides the machine's own.
    """

    program: str
    libraries: tuple[str, ...] = ()

    def render(self, midi: Path, font: Path) -> NDArray[np.float32]:
        """Render a MIDI file.

        Parameters
        ----------
        midi : path
        font : path
            ``.sf2`` or ``.sf3``.

        Returns
        -------
        float32 [samples]
            Mono, 16 kHz, as loud as it comes.

        Raises
        ------
        DataError
            fluidsynth failed or took more than two minutes; its own words.
        """
        mono: NDArray[np.float32] = self.render_stereo(midi, font, SAMPLE_RATE).mean(
            1, dtype=np.float32
        )
        return mono

    def render_stereo(self, midi: Path, font: Path, sample_rate: int) -> NDArray[np.float32]:
        """Render a MIDI file in stereo.

        Parameters
        ----------
        midi, font : path
            As for `render`.
        sample_rate : int
            In Hz.

        Returns
        -------
        float32 [samples, 2]
            As loud as it comes.

        Raises
        ------
        DataError
            As for `render`.
        """
        environment = dict(os.environ)
        if self.libraries:
            given = environment.get("LD_LIBRARY_PATH")
            folders = [*self.libraries, *([given] if given else [])]
            environment["LD_LIBRARY_PATH"] = os.pathsep.join(folders)
        with tempfile.TemporaryDirectory() as folder:
            wave = Path(folder) / "out.wav"
            command = [self.program, "-niq", "-r", str(sample_rate), "-g", "0.5"]
            # only the samples that the piece needs: a big font loads in no time
            command += ["-o", "synth.dynamic-sample-loading=1", "-F", str(wave)]
            run_program(
                "fluidsynth",
                [*command, str(font), str(midi)],
                seconds=_SECONDS_ALLOWED,
                task=str(midi),
                makes=wave,
                environment=environment,
            )
            audio: NDArray[np.float32]
            audio, _ = soundfile.read(wave, dtype="float32", always_2d=True)
        return audio


def find_fluidsynth(cache: Path) -> Fluidsynth:
    """Find fluidsynth on the machine, else fetch its package and those that it needs.

    Parameters
    ----------
    cache : path
        Where packages are kept.

    Returns
    -------
    Fluidsynth

    Raises
    ------
    DataError
        It is not there and cannot be had.
    """
    installed = shutil.which("fluidsynth")
    if installed is not None:
        return Fluidsynth(installed)
    roots = [debian_package(name, cache) for name in _missing_packages("fluidsynth")]
    programs = [root / "usr/bin/fluidsynth" for root in roots]
    program = next((path for path in programs if path.is_file()), None)
    if program is None:
        raise DataError("fluidsynth is not on this machine and apt does not offer its package")
    found = {path.parent for root in roots for path in root.rglob("lib*.so*")}
    return Fluidsynth(str(program), tuple(sorted(str(folder) for folder in found)))


def _missing_packages(name: str) -> list[str]:
    """Ask apt what it would install; changes nothing and needs no root."""
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", name]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise DataError(f"{name} is not on this machine, nor is apt-get: {error}") from error
    if done.returncode:
        words = "; ".join(done.stderr.split("\n"))[-400:]
        raise DataError(f"{name} cannot be had: apt-get says: {words}")
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ")]
