"""Commands as a user types them, timed."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import DataError

_MODULES = {"maest": "essentia_maest"}
"""Programs, and the modules that they are; what begins with ``python -m`` names its own."""


@dataclass(frozen=True)
class Ran:
    """A command, what it said, and what it took in seconds.

    Attributes
    ----------
    typed : str
    clock, cpu : float
    said, told : str
        On standard output, and on standard error.
    """

    typed: str
    clock: float
    cpu: float
    said: str
    told: str = ""


def run_typed(
    typed: str,
    folder: Path,
    *,
    allowed: Sequence[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a command in a folder, with this Python.

    Parameters
    ----------
    typed : str
        ``maest ...`` or ``python -m MODULE ...``, without quotes.
    folder : path
    allowed : sequence of int
        Exit codes that are no failure.
    environment : mapping of str to str, optional
        The whole environment; default: this process's.

    Returns
    -------
    Ran

    Raises
    ------
    DataError
        It failed: its exit code and what it told.
    """
    words = typed.split()
    arguments = words[1:] if words[0] == "python" else ["-m", _MODULES[words[0]], *words[1:]]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    clock, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in allowed:
        raise DataError(f"`{typed}` ended with {done.returncode}: {done.stderr.strip()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(typed, clock, cpu, done.stdout, done.stderr)
