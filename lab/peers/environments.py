"""Virtual environments of peers whose packages collide with ours, or that nobody should need."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from filelock import FileLock

from lab.peers.process import PeerError

HERE = "here"
"""The environment that runs the benchmark: the engine, Essentia, ONNX Runtime, torch."""

_REQUIREMENTS = Path(__file__).parent / "requirements"
_PIP = ["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--requirement"]
_WHOLE = "whole"
_TIMEOUT = 1800
_LAST_WORDS = 300


def python_of(name: str, cache: Path) -> Path:
    """Give the interpreter of an environment, which is made unless the cache has it.

    Parameters
    ----------
    name : str
        `HERE`, or a file of ``requirements/`` without its ending.
    cache : Path
        Where environments are kept.

    Returns
    -------
    Path

    Raises
    ------
    PeerError
        If it cannot be made: the message has pip's own words.
    """
    if name == HERE:
        return Path(sys.executable)
    wanted = _REQUIREMENTS / f"{name}.txt"
    text = wanted.read_text(encoding="utf-8") + sys.version
    folder = cache / "environments" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / _WHOLE).exists():
            # Environments do not survive a rename: a mark tells a whole one.
            shutil.rmtree(folder, ignore_errors=True)
            _run(name, [sys.executable, "-m", "venv", str(folder)])
            # The files name everything, so nothing else can come in: no GPU libraries.
            _run(
                name,
                [str(python), *_PIP, str(wanted)],
            )
            (folder / _WHOLE).touch()
    return python


def run_once(
    what: str,
    command: Sequence[str],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> None:
    """Run a command that makes something.

    Parameters
    ----------
    what : str
        Cannot be done if it fails; messages begin with it.
    command : sequence of str
    seconds : float
        How long it may take.
    environment : mapping, optional
        Its variables; by default this process's.
    folder : path, optional
        Where it runs.

    Raises
    ------
    PeerError
        It cannot be run, takes too long or fails; its own last words.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{what}: {error}") from error
    if done.returncode:
        words = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise PeerError(f"{what}: {' '.join(words).strip()[-_LAST_WORDS:]}")


def _run(name: str, command: list[str]) -> None:
    run_once(f"environment {name} cannot be made", command, seconds=_TIMEOUT)
