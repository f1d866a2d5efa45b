"""What a command finds round it: standard files that may be closed or full, a working directory."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from ..errors import InvalidArgumentError, StoppedEarlyError


def open_standard_files() -> None:
    """See that the descriptors 0 to 2 are taken.

    Where one was closed, the next file that is opened would get its number, and what a library
    prints would go into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)  # by worker processes


def require_working_directory() -> None:
    """Refuse to begin in a working directory that was deleted.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It was. Worker processes could not start in it, nor relative names be found.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise InvalidArgumentError(
            "the working directory does not exist any more; change into one that does"
        ) from error


def show(text: str) -> None:
    """Print what was asked for on stdout.

    Parameters
    ----------
    text : str
        One line, or several.

    Raises
    ------
    essentia_maest.errors.StoppedEarlyError
        Stdout is closed, or cannot be written.
    BrokenPipeError
        Its reader has gone.
    """
    if sys.stdout is None:
        raise StoppedEarlyError("nothing can be printed: stdout is closed")
    with _output_errors():
        print(text)


def flush_output() -> None:
    """Have all that was printed arrive.

    Raises
    ------
    essentia_maest.errors.StoppedEarlyError
        It cannot be written.
    BrokenPipeError
        Its reader has gone.
    """
    if sys.stdout is not None:
        with _output_errors():
            sys.stdout.flush()


def drop_output() -> None:
    """Print to nowhere from now on: Python would fail again when it flushes at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise StoppedEarlyError(
            f"what was asked for cannot be printed: {error.strerror or error}"
        ) from error
