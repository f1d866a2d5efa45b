"""Where the default corpus comes from: packages, versions and licences, for the model's card."""

from __future__ import annotations

from pathlib import Path

from essentia_maest.files import write_json
from lab.corpus.fluidsynth import TEST_FONT, TRAINING_FONTS
from lab.corpus.packages import debian_package, debian_version
from lab.corpus.produced_music import PRODUCED_MUSIC
from lab.corpus.teacher import MUSICNN
from lab.corpus.tunes import MUSIC21

_PROGRAMS = (("mma", "GPL-2+"), ("abcmidi", "GPL-2+"))
_PYTHON = (
    (MUSICNN, "the teacher", "ISC"),
    (MUSIC21, "dance tunes", "BSD-3-Clause; the tunes are in the public domain"),
)


def write_sources(folder: Path, cache: Path, *, produced: bool = True) -> Path:
    """Write ``sources.json``: what each package gave, its version and licence.

    Parameters
    ----------
    folder : path
        The collection's folder.
    cache : path
        Where packages are kept.
    produced : bool
        Whether there is produced music, and what the teacher says of it.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    DataError
        A package cannot be had.
    """
    debian = [(music.name, "produced music", music.licence) for music in PRODUCED_MUSIC if produced]
    debian += [(font.package, "sound font", font.licence) for font in (*TRAINING_FONTS, TEST_FONT)]
    debian += [(name, "program", licence) for name, licence in _PROGRAMS]
    sources = [
        {
            "package": name,
            "version": debian_version(debian_package(name, cache)),
            "from": "Debian",
            "gives": gives,
            "licence": licence,
        }
        for name, gives, licence in debian
    ]
    for requirement, gives, licence in _PYTHON:
        if requirement == MUSICNN and not produced:
            continue
        name, _, version = requirement.partition("==")
        sources.append(
            {
                "package": name,
                "version": version,
                "from": "PyPI",
                "gives": gives,
                "licence": licence,
            }
        )
    path = folder / "sources.json"
    write_json(path, sources)
    return path
