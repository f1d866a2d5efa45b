"""A peer's side of the pipe: opens once, then does its work each time it is asked.

Runs in environments that have nothing of ours: the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

Work = Callable[[Mapping[str, Any]], Any]
"""Takes a request, gives an array, or a dict of what else is to be told."""


def serve(open_peer: Callable[[Mapping[str, Any]], Work], packages: tuple[str, ...]) -> None:
    """Answer the parent until it closes the pipe.

    One JSON object a line. The first has the options; later ones are requests, whose work is done
    as often as fits in ``repeat_seconds``, at least once.

    Parameters
    ----------
    open_peer : callable
        Imports what the peer needs, loads its model, and gives its work. Imports belong in here:
        they are part of what a user waits for.
    packages : tuple of str
        Distributions whose versions matter.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What libraries print is not an answer.

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    work: Work | None = None
    for line in sys.stdin:
        message = json.loads(line)
        try:
            if work is None:
                start = time.perf_counter()
                work = open_peer(message)
                seconds = time.perf_counter() - start
                versions = {name: version(name) for name in packages}
                answer({"seconds": seconds, "memory": peak_memory(), "versions": versions})
            else:
                answer(_do(work, message))
        except Exception as error:
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}".strip().splitlines()
            answer({"error": " ".join(text)[:500]})


def _do(work: Work, request: Mapping[str, Any]) -> dict[str, Any]:
    patience = request.get("repeat_seconds", 0.0)
    calls = 0
    start = time.perf_counter()
    while True:
        result = work(request)
        calls += 1
        taken = time.perf_counter() - start
        if taken >= patience:
            break
    told: dict[str, Any] = {"seconds": taken / calls, "calls": calls, "memory": peak_memory()}
    if isinstance(result, dict):
        return {**told, **result}
    told["shape"] = list(result.shape)
    if request.get("give"):
        told["values"] = [float(value) for value in result.reshape(-1)]
    return told


def peak_memory() -> int:
    """Give the most memory that this process ever had resident, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise OSError("/proc/self/status has no VmHWM")
