"""Mounts that a command sees and nobody else: small disks, folders that cannot be written to."""

from __future__ import annotations

import functools
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


@functools.cache
def can_mount() -> bool:
    """Whether commands can be given mounts of their own here; it takes root, as containers lack."""
    if shutil.which("unshare") is None:
        return False
    line = "mount -t tmpfs tmpfs /mnt && mount --bind / /"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", line], capture_output=True, check=False
    )
    return done.returncode == 0


def on_small_disk(
    command: Sequence[str], folder: Path, kilobytes: int, copy: Path, meanwhile: str = ""
) -> list[str]:
    """Run a command while a folder is a disk of its own.

    Parameters
    ----------
    command : sequence of str
        What to run.
    folder : Path
        Where the disk appears.
    kilobytes : int
        Its size.
    copy : Path
        Where what is on it in the end is copied to.
    meanwhile : str
        A line for the shell that runs beside it.

    Returns
    -------
    list of str
        The words to run instead; the exit code is that of the command.
    """
    at, to = shlex.quote(str(folder)), shlex.quote(str(copy))
    beside = f"( {meanwhile} ) >/dev/null 2>&1 & " if meanwhile else ""
    line = (
        f"mount -t tmpfs -o size={kilobytes}k tmpfs {at} || exit 99; {beside}"
        f'"$@"; code=$?; cp -a {at}/. {to}; exit $code'
    )
    return ["unshare", "--mount", "sh", "-c", line, "sh", *command]


def with_mounts(command: Sequence[str], mounts: str) -> list[str]:
    """Run a command after some lines that change what it sees of the disks.

    Parameters
    ----------
    command : sequence of str
        What to run.
    mounts : str
        Lines for the shell.

    Returns
    -------
    list of str
        The words to run instead.
    """
    line = f'{{ {mounts}; }} || exit 99; exec "$@"'
    return ["unshare", "--mount", "sh", "-c", line, "sh", *command]
