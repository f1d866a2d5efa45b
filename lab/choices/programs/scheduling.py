"""Segments of one signal, or of several, shared among CPUs in different ways."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Open `model` to compute `audio` `times` over, in the `way` asked for.

    ``"segments"``: as many segments side by side as threads, which share ONNX Runtime's pool;
    ``"operators"``: one segment after another, all threads within each; ``"tracks"``: as many
    signals side by side as threads, one thread each.
    """
    import numpy as np

    import essentia_maest as maest

    threads, way = options["threads"], options["way"]
    model = maest.Model(options["model"], num_threads=1 if way == "tracks" else threads)
    audio = np.tile(np.load(options["audio"]), options["times"])
    parts = np.split(audio, threads) if way == "tracks" else [audio]

    def work(request: Mapping[str, Any]) -> Any:
        def embed(samples: Any) -> Any:
            return model.embed(
                samples,
                patchout=request["patchout"],
                batch_size=1 if way == "operators" else None,
            )

        with ThreadPoolExecutor(len(parts)) as pool:
            return np.concatenate(list(pool.map(embed, parts)))

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-maest", "onnxruntime", "numpy"))
