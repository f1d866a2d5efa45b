"""Whether an audio file is the one that it was: bytes and time, here or behind a URL."""

from __future__ import annotations

import os

from ..remote.listing import status as remote_status
from ..remote.urls import is_url


def size_and_mtime(path: str) -> tuple[int, int]:
    """Give the bytes of a file, and the ns since 1970 of its last change.

    Parameters
    ----------
    path : str
        Path or URL; a server that tells no size, or no time, gives 0.

    Raises
    ------
    OSError
        The file is gone.
    """
    if is_url(path):
        size, mtime = remote_status(path)
        return size or 0, mtime
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
