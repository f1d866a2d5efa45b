"""Other people's programs, run within a time limit, their own words kept."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from training.errors import DataError

_WORDS_KEPT = 400


def run_program(
    name: str,
    command: Sequence[str],
    *,
    seconds: float,
    task: str,
    makes: Path,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
    any_code: bool = False,
) -> None:
    """Run a program that makes a file.

    Parameters
    ----------
    name : str
        For messages.
    command : sequence of str
    seconds : float
        How long it may take.
    task : str
        What it is given, for messages.
    makes : path
        The file that must be there afterwards.
    environment : mapping, optional
    folder : str, optional
        Where it runs.
    any_code : bool
        Its exit code says nothing, only the file counts.

    Raises
    ------
    DataError
        It cannot be run, takes too long, or refuses; its own last words.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{name} took over {seconds:g} s for {task}") from error
    except OSError as error:
        raise DataError(f"{name} cannot be run: {error}") from error
    if (done.returncode and not any_code) or not makes.is_file():
        words = "; ".join((done.stdout + done.stderr).decode(errors="replace").splitlines())
        raise DataError(f"{name} refuses {task}: {words[-_WORDS_KEPT:]}")
