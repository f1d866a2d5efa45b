"""Finds the libraries whose decoders the engine calls; none of their packages is imported."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .. import _core


def essentia_library() -> Path | None:
    """Return Essentia's extension library, which has an FFmpeg inside; None without Essentia."""
    return next(_files_in("essentia", "_essentia*.so"), None)


def sndfile_library() -> Path | None:
    """Return the libsndfile of the package soundfile; None where the system's is to be used."""
    return next(_files_in("_soundfile_data", "libsndfile*"), None)


@cache
def use_libraries() -> None:
    """Tell the engine which libraries to open; it opens each with the first file that needs it."""
    if (essentia := essentia_library()) is not None:
        _core.set_ffmpeg_library(os.fsencode(essentia))
    if (sndfile := sndfile_library()) is not None:
        _core.set_sndfile_library(os.fsencode(sndfile))


def _files_in(package: str, pattern: str) -> Iterator[Path]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: a module put in place without a spec
        return
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(folder).glob(pattern))
