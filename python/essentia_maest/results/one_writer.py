"""A folder of tables has one writer at a time: two would write each row twice."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path
from typing import Protocol

from ..errors import InvalidArgumentError
from .path_text import path_text
from .places import is_remote

_log = logging.getLogger(__name__)

# What `flock` says where the file system, such as some network ones, cannot do it for a folder.
_NOT_TO_BE_HAD = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Writer(Protocol):
    """Holds a folder for one writer."""

    def begin(self) -> None:
        """Take the folder; InvalidArgumentError where another run writes there."""

    def require(self) -> None:
        """See that it is still held; OSError where it is not."""

    def end(self) -> None:
        """Let it go."""


def writer_of(folder: Path) -> Writer:
    """Give what keeps a second run out of a folder of tables.

    Parameters
    ----------
    folder : pathlib.Path
        As `essentia_maest.results.places.place_of` gives it.

    Returns
    -------
    Writer
        That has not begun.
    """
    if is_remote(folder):
        from .remote_writer import RemoteWriter

        return RemoteWriter(folder)
    return OneWriter(folder)


class OneWriter:
    """Holds a folder for one writer; a process that ends, however it does, lets it go.

    Nothing is written for it: the folder itself is locked (``flock``).

    Parameters
    ----------
    folder : pathlib.Path
        It exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def begin(self) -> None:
        """Take the folder, unless it was taken here before.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            Another run writes there.
        OSError
            The folder cannot be opened.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno == errno.EWOULDBLOCK:
                raise InvalidArgumentError(
                    f"{path_text(self._folder)}: another run is writing there; wanted: its end, or "
                    "another folder"
                ) from None
            if error.errno not in _NOT_TO_BE_HAD:
                raise
            _log.warning("%s: cannot be kept from other runs: %s", self._folder, error)
            return
        self._descriptor = descriptor

    def require(self) -> None:
        """Nothing: the system keeps what it gave."""

    def end(self) -> None:
        """Let the folder go."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.end()
