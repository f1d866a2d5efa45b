"""What PyAV's FFmpeg may take at once: as with Essentia's, what a file of its size could need."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from .. import _core

# As FFmpeg has it by itself.
_MOST = (1 << 31) - 1


class MemoryLimit:
    """As long as any is referred to, FFmpeg takes no more than the largest of the files could need.

    Parameters
    ----------
    file : str
        The file; if it is gone, it is one without bytes.
    """

    _limits: list[int] = []  # noqa: RUF012 - one of the whole process
    _lock = threading.RLock()

    def __init__(self, file: str) -> None:
        size = 0
        with suppress(OSError):
            size = os.path.getsize(file)
        self._bytes = _core.ffmpeg_memory_limit(size)
        with self._lock:
            self._limits.append(self._bytes)
            self._apply()

    def __del__(self) -> None:
        with self._lock:
            self._limits.remove(self._bytes)
            self._apply()

    def _apply(self) -> None:
        _setter()(max(self._limits, default=_MOST))


@cache
def _setter() -> Callable[[int], object]:
    try:
        from av import _core as library

        found = ctypes.CDLL(str(library.__file__)).av_max_alloc
    except (ImportError, OSError, AttributeError):  # another build of PyAV
        return lambda _: None
    found.argtypes, found.restype = [ctypes.c_size_t], None
    return found
