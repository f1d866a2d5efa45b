"""Files behind URLs, brought here as long as they are decoded, and decoded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..decoding.audio_file import AudioFile
from ..errors import AudioFileError, in_words
from .urls import filesystem

MEMORY_BYTES = 256 << 20
"""Files up to this size are kept in memory while they are decoded, others on the disk."""

MOST_BYTES = 16 << 30
"""What is longer does not end: a radio station, for one."""

_PIECE = 4 << 20


class FetchedAudio(AudioFile):
    """An `AudioFile` behind a URL: brought whole, as decoders have to go back and forth in it.

    Parameters
    ----------
    url : str
        What fsspec takes.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        It cannot be brought, or see `AudioFile`.
    """

    def __init__(self, url: str) -> None:
        self._copy = _fetched(url)
        # By another name: decoders open it again, and go where they want in it.
        name = f"/proc/self/fd/{self._copy}"
        try:
            super().__init__(name)
        except AudioFileError as error:
            self.close()
            raise AudioFileError(str(error).replace(name, url)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file, and of its copy."""
        super().close()
        if self._copy >= 0:
            os.close(self._copy)
            self._copy = -1


@contextmanager
def fetched(url: str) -> Iterator[str]:
    """Bring a file here meanwhile.

    Parameters
    ----------
    url : str
        What fsspec takes.

    Yields
    ------
    str
        A path that this process may open.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        It cannot be brought.
    """
    copy = _fetched(url)
    try:
        yield f"/proc/self/fd/{copy}"
    finally:
        os.close(copy)


def _fetched(url: str) -> int:
    """Give a descriptor of a file without a name that holds what a URL names."""
    copy = -1
    try:
        system, path = filesystem(url)
        with system.open(path, "rb") as source:
            size = getattr(source, "size", None)
            copy = _unnamed(size)
            _bring(source, copy, size)
        return copy
    except BaseException as error:
        if copy >= 0:
            os.close(copy)
        if not isinstance(error, Exception):
            raise
        words = "no such file" if isinstance(error, FileNotFoundError) else in_words(error)
        refused = AudioFileError(words if words.startswith(url) else f"{url}: {words}")
        refused.errno = error.errno if isinstance(error, OSError) else None
        raise refused from error


def _unnamed(size: int | None) -> int:
    if size is not None and size <= MEMORY_BYTES:
        return os.memfd_create("audio")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _bring(source: Any, copy: int, size: int | None) -> None:
    written = 0
    while piece := source.read(_PIECE):
        view = memoryview(piece)
        while view:
            view = view[os.write(copy, view) :]
        written += len(piece)
        if written > MOST_BYTES:
            raise AudioFileError(f"has no end: more than {MOST_BYTES >> 30} GiB came")
    if size is not None and written < size:
        raise AudioFileError(f"{written} of {size} bytes arrived")
    with suppress(OSError):
        os.lseek(copy, 0, os.SEEK_SET)
