"""Files to embeddings as Essentia's examples do it: MonoLoader, TensorflowPredictMAEST."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Make the algorithm."""
    import essentia
    import essentia.standard as es

    essentia.log.infoActive = essentia.log.warningActive = False
    predict = es.TensorflowPredictMAEST(
        graphFilename=options["graph"],
        input="melspectrogram",
        output=f"PartitionedCall/Identity_{options['block']}",
        patchSize=options["frames"],
        patchHopSize=options["frames"] - 1,
        batchSize=1,
    )

    def work(request: Mapping[str, Any]) -> Any:
        segments = 0
        for path in sorted(Path(options["tracks"]).glob(request["files"])):
            audio = es.MonoLoader(filename=str(path), sampleRate=16000, resampleQuality=4)()
            segments += len(predict(audio))
        return {"segments": segments}

    return work


if __name__ == "__main__":
    serve(open_peer, ("essentia-tensorflow",))
