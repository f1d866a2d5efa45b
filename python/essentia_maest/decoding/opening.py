"""Who decodes a file: the engine, or what it leaves to Python."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from .. import _core
from ..errors import AudioFileError, DecodeError
from .libraries import use_libraries
from .monoloader import MonoLoaderReader
from .paths import checked_file, printable_path
from .pyav import PyAvReader
from .reader import Reader

_log = logging.getLogger(__name__)


def open_reader(path: str | os.PathLike[str]) -> Reader:
    """Open a file with the first that can decode it.

    Parameters
    ----------
    path : str or os.PathLike
        See `essentia_maest.AudioFile`.

    Returns
    -------
    Reader

    Raises
    ------
    essentia_maest.errors.AudioFileError
        See `essentia_maest.AudioFile`.
    """
    use_libraries()
    shown = printable_path(path)
    file = checked_file(path)
    reader: Reader
    try:
        reader = _core.AudioFile(os.fsencode(file))
    except AudioFileError as error:
        reader = _open_otherwise(file, shown, str(error))
    _log.debug("%s: %s in %s, decoded by %s", shown, reader.codec, reader.container, reader.decoder)
    return reader


def _open_otherwise(file: str, shown: str, reason: str) -> Reader:
    reasons = [reason]
    for open_it in _others(file, reasons):
        try:
            return open_it()
        except DecodeError as error:
            reasons.append(str(error))
    raise AudioFileError(f"{shown}: " + "; ".join(dict.fromkeys(reasons)))


def _others(file: str, reasons: list[str]) -> Iterator[Callable[[], Reader]]:
    try:
        known = _core.identify(os.fsencode(file))
    except AudioFileError:  # it told so before
        return
    readers = _core.route_of(known).readers
    if "ffmpeg" in readers and not _core.ffmpeg_version():
        yield lambda: MonoLoaderReader(file, known)
    if "extra" in readers and find_spec("av") is not None:
        if readers == ("extra",):
            reasons.clear()  # they told to install it
        yield lambda: PyAvReader(file, known)
