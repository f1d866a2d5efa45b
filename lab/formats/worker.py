"""`python -m lab.formats.worker DECODER`: decodes files, each in a fork.

A line on stdin is a JSON list of a file and where its samples go (.npy); a line on stdout is what
came of it: `{"outcome": "samples" | "refused" | "crashed" | "hung", "words": ...}`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from contextlib import suppress

import numpy as np

from .decoders import DECODERS, RefusedError, mixed

_SECONDS = 30.0


def main() -> None:
    """Serve until stdin ends."""
    name = sys.argv[1]
    _warm_up(name)
    for line in sys.stdin:
        file, result = json.loads(line)
        print(json.dumps(_decoded(name, file, result)), flush=True)


def _warm_up(name: str) -> None:
    """Import once what every fork needs."""
    modules = {"PyAV": "av", "libsndfile": "soundfile", "program": "soundfile"}
    with suppress(ImportError):
        __import__(modules.get(name, "essentia_maest"))
    from essentia import _essentia  # noqa: F401


def _decoded(name: str, file: str, result: str) -> dict[str, str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _decode(name, file, result, writing)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], _SECONDS)
    words = os.read(reading, 1 << 16) if ready else b""
    os.close(reading)
    if not ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if not ready:
        return {"outcome": "hung", "words": f"over {_SECONDS:g} s"}
    if os.WIFSIGNALED(status) or not words:
        died = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
        return {"outcome": "crashed", "words": died}
    answer: dict[str, str] = json.loads(words)
    return answer


def _decode(name: str, file: str, result: str, writing: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    code = 1
    try:
        try:
            sound = DECODERS[name](file)
            np.save(result, mixed(sound))
            answer = {"outcome": "samples", "words": sound.told}
        except RefusedError as error:
            answer = {"outcome": "refused", "words": str(error)[:300]}
        except Exception as error:
            answer = {"outcome": "refused", "words": f"{type(error).__name__}: {error}"[:300]}
        os.write(writing, json.dumps(answer).encode())
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
