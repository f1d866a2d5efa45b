"""Parts of the torture done at the same time, each by a command of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def side_by_side(commands: Sequence[Sequence[str]], jobs: int) -> None:
    """Run torture commands, so many at a time, in the order given.

    Parameters
    ----------
    commands : sequence of sequence of str
        The arguments of each; they keep what they find in one folder.
    jobs : int
        How many at a time.
    """
    waiting, running = list(commands), list[subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            running = [one for one in running if one.poll() is None]
            while waiting and len(running) < jobs:
                command = [sys.executable, "-m", "lab", "torture", *waiting.pop(0)]
                running.append(subprocess.Popen(command, cwd=ROOT, start_new_session=True))
            time.sleep(0.2)
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()
