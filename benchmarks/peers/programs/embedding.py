"""The engine alone, on files that are decoded already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model` and decode the tracks that differ."""
    import essentia_maest as maest

    model = maest.Model(options["model"], num_threads=options["threads"])
    tracks = Path(options["tracks"])
    decoded = [maest.load_audio(path) for path in sorted(tracks.glob("track-*.mp3"))]

    def work(request: Mapping[str, Any]) -> Any:
        for number in range(len(list(tracks.glob(request["files"])))):
            audio = decoded[number % len(decoded)]  # the others are copies
            model.embed(audio, patchout=options["patchout"])
        return {}

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "onnxruntime"))
