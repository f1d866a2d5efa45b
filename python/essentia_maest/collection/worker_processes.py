"""What all processes that decode have in common: how they start, how long they may, how they end.

Their stderr goes nowhere, and what they log goes back with what they give.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker


def time_limit(path: str) -> float:
    """Return the seconds that decoding a file may take before it counts as hung.

    Parameters
    ----------
    path : str
        The file; its size decides.

    Returns
    -------
    float
        Two minutes, and ten seconds more for every megabyte: some ten times what a slow and busy
        machine needs.
    """
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    return 120.0 + 10.0 * size / 1e6


def exit_status(code: int | None) -> str:
    """Name the signal that ended a process, or its exit status."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


def use_scratch(folder: str) -> None:
    """Put this process's temporary files where whoever started it removes them.

    Parameters
    ----------
    folder : str
        It is there as long as the process may be.
    """
    tempfile.tempdir = folder


@contextmanager
def stderr_away() -> Iterator[None]:
    """Send the process's stderr nowhere: libraries write there of each damaged frame, nameless."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold SIGINT back from the processes and threads that are started meanwhile.

    Ctrl-C goes to the whole process group; the workers are to be ended by us, not by tracebacks.
    """
    # multiprocessing starts this with the first process, and lets SIGINT through again afterwards.
    resource_tracker.ensure_running()
    found = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, found)
