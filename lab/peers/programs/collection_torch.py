"""Files to embeddings as a script with `maest-infer` does it: decode, mel spectrogram, torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Load `weights`; decoding is Essentia's, as its examples ask for it, mels are the engine's."""
    import essentia
    import essentia.standard as es
    import torch

    import essentia_maest as maest
    from essentia_maest.making.metadata import NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION
    from lab.peers.maest_model import load_maest, set_patchout
    from lab.peers.sizes import BLOCK, Size

    essentia.log.infoActive = essentia.log.warningActive = False
    torch.set_num_threads(options["threads"])
    size = Size(**options["size"])
    model = load_maest(options["weights"], size)
    set_patchout(model, options["patchout"])

    @torch.inference_mode()
    def work(request: Mapping[str, Any]) -> Any:
        segments = 0
        for path in sorted(Path(options["tracks"]).glob(request["files"])):
            audio = es.MonoLoader(filename=str(path), sampleRate=16000, resampleQuality=4)()
            mel = torch.from_numpy(maest.mel_spectrogram(audio).T) - NORMALIZATION_MEAN
            mel /= 2 * NORMALIZATION_STANDARD_DEVIATION
            for start in range(0, mel.shape[1] - size.frames + 1, size.frames - 1):
                segment = mel[None, None, :, start : start + size.frames]
                model(segment, transformer_block=BLOCK - 1)
                segments += 1
        return {"segments": segments}

    return work


if __name__ == "__main__":
    serve(open_peer, ("maest-infer", "torch", "essentia"))
