"""Decoding alone, as much of it as the CPUs allow: a process each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.peers.memory import FirstTimes
from lab.peers.serve import Work, serve


def length(path: str) -> int:
    """Decode a file and count its samples."""
    import essentia_maest as maest

    return len(maest.load_audio(path))


def open_peer(options: Mapping[str, Any]) -> Work:
    """Start the processes."""
    pool = multiprocessing.get_context("spawn").Pool(options["threads"])

    memory = FirstTimes()

    def work(request: Mapping[str, Any]) -> Any:
        files = sorted(Path(options["tracks"]).glob(request["files"]))
        with memory.of(request["files"]):
            samples = sum(pool.map(length, map(str, files), chunksize=1))
        return {"samples": samples, **memory[request["files"]]}

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "essentia"))
