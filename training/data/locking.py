"""One process at a time writes a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from training.errors import DataError

LOCK = ".lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Make a folder if need be, and keep other processes that ask for it out.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    DataError
        Another process is writing it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / LOCK).acquire(blocking=False)
    except filelock.Timeout:
        raise DataError(f"{folder}: another process is writing it") from None
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error
    except NotImplementedError as error:
        raise DataError(f"{folder}: its file system has no file locks (flock)") from error
    with lock:
        yield
