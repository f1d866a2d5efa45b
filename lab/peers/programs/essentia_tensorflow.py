"""Essentia's TensorflowPredictMAEST: samples in, tokens out; or its graph alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Make the algorithm for the node of `block`, or of the activations where `whole`."""
    import essentia
    import essentia.standard as es
    import numpy as np

    essentia.log.infoActive = essentia.log.warningActive = False
    number = options["depth"] + 1 if options["whole"] else options["block"]
    node = f"PartitionedCall/Identity_{number}"
    common = {"graphFilename": options["graph"]}
    audio = np.load(options["audio"])
    if options["graph_alone"]:
        mel = np.load(options["mel"]).T.copy()[None, None]
        algorithm = es.TensorflowPredict(**common, inputs=["melspectrogram"], outputs=[node])

        def compute() -> Any:
            pool = essentia.Pool()
            pool.set("melspectrogram", mel)
            return algorithm(pool)[node]

    else:
        algorithm = es.TensorflowPredictMAEST(
            **common,
            input="melspectrogram",
            output=node,
            patchSize=options["frames"],
            patchHopSize=options["frames"] - 1,
            batchSize=1,
        )

        def compute() -> Any:
            return algorithm(audio)

    def work(_request: Mapping[str, Any]) -> Any:
        result = compute()
        if options["whole"]:
            return result.reshape(1, -1)
        x = result.reshape(-1, result.shape[-1])
        return np.concatenate([x[0], x[1], x[2:].mean(0)])[None]

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-tensorflow",))
