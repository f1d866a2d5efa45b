"""The engine alone, on files that are decoded already: as many side by side as there are CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model` and decode the tracks that differ."""
    import essentia_maest as maest

    model = maest.Model(options["model"], num_threads=1)
    tracks = Path(options["tracks"])
    decoded = [maest.load_audio(path) for path in sorted(tracks.glob("track-*.mp3"))]

    def work(request: Mapping[str, Any]) -> Any:
        count = len(list(tracks.glob(request["files"])))
        with ThreadPoolExecutor(options["threads"]) as threads:
            # the other files are copies
            tasks = [
                threads.submit(
                    model.embed, decoded[number % len(decoded)], patchout=options["patchout"]
                )
                for number in range(count)
            ]
            for task in tasks:
                task.result()
        return {}

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "onnxruntime"))
