"""MAEST's own inference package, in torch: mel spectrogram in, the result out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Load `weights` in `precision`: float32, bfloat16, or int8 as `quantize_dynamic` makes it."""
    import numpy as np
    import torch

    from lab.peers.maest_model import load_maest, set_patchout
    from lab.peers.processor import require_bfloat16
    from lab.peers.sizes import Size

    if options["precision"] == "bfloat16":
        require_bfloat16()
    torch.set_num_threads(options["threads"])
    model = load_maest(options["weights"], Size(**options["size"]))
    if options["precision"] == "int8":
        precision = torch.float32
        quantize: Any = torch.ao.quantization.quantize_dynamic  # it has no types
        model = quantize(model.eval(), {torch.nn.Linear}, dtype=torch.qint8)
    else:
        precision = getattr(torch, options["precision"])
        model = model.to(precision).eval()
    mel = torch.from_numpy(np.load(options["mel"])).to(precision)[None, None]

    @torch.inference_mode()
    def work(request: Mapping[str, Any]) -> Any:
        set_patchout(model, request["patchout"])
        if request["whole"]:
            return model(mel, melspectrogram_input=True)[0].sigmoid().float().numpy()
        return model(mel, transformer_block=request["block"] - 1)[1].float().numpy()

    return work


if __name__ == "__main__":
    serve(open_peer, ("maest-infer", "torch"))
