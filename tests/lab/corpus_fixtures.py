"""Packages made on the spot, and an `apt-get` that knows only those."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from lab.corpus.produced_music import MusicPackage

_APT_GET = """#!/bin/sh
echo "$@" >> "{shelf}/calls"
[ "$1" = download ] || exit 2
found=$(ls "{shelf}/$2"_*.deb 2>/dev/null)
if [ -z "$found" ]; then echo "E: Unable to locate package $2" >&2; exit 100; fi
cp "$found" .
"""


class Shelf:
    """A folder of Debian packages; the `apt-get` found first in PATH fetches from it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir(parents=True)
        (tools / "apt-get").write_text(_APT_GET.format(shelf=folder))
        (tools / "apt-get").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    @property
    def fetched(self) -> list[str]:
        calls = self.folder / "calls"
        return (
            [line.split()[1] for line in calls.read_text().splitlines()] if calls.exists() else []
        )

    def add(self, name: str, tree: Path) -> None:
        """Build a package of the files in `tree`, which must hold no folder DEBIAN."""
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN" / "control").write_text(
            f"Package: {name}\nVersion: 1.2-3\nArchitecture: all\n"
            "Maintainer: Nobody <nobody@example.org>\nDescription: for a test\n"
        )
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(tree)]
        subprocess.run(
            [*command, str(self.folder / f"{name}_1.2-3_all.deb")], check=True, capture_output=True
        )

    def add_music(self, package: MusicPackage, tree: Path, *, count: int, seconds: float) -> None:
        """Build a package with tones where the table says its tracks lie."""
        folder, _, kind = package.tracks[0].rpartition("/")
        for number in range(count):
            below = folder.replace("**", ".").replace("*", f"song{number}")
            name = "song" if package.stems else f"track{number}"
            write_tone(
                tree / below / f"{name}{kind.removeprefix('*')}", seconds, 200 + 100 * number
            )
        self.add(package.name, tree)


def write_tone(path: Path, seconds: float, hertz: float = 440.0, artist: str = "") -> None:
    """Write an Ogg Vorbis file at 8 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(8000 * seconds)) / 8000
    tone = (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
    with soundfile.SoundFile(path, "w", 8000, 1, format="OGG", subtype="VORBIS") as file:
        if artist:
            file.artist = artist
        file.write(tone)
