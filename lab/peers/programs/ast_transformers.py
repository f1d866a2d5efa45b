"""The same network as `transformers` has it, the Audio Spectrogram Transformer; no patchout."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from lab.peers.serve import Work, serve


def open_peer(options: Mapping[str, Any]) -> Work:
    """Build it with `weights`, with the attention that torch is fastest with."""
    import numpy as np
    import torch

    from lab.peers.maest_model import load_maest
    from lab.peers.sizes import BLOCK, Size
    from reference_models import ast_from_maest

    torch.set_num_threads(options["threads"])
    size = Size(**options["size"])
    maest = load_maest(options["weights"], size)
    model = ast_from_maest(maest, size.frames, size.heads).eval()
    del maest
    model.set_attn_implementation("sdpa")
    shallow = _until(model.audio_spectrogram_transformer, BLOCK)
    mel = torch.from_numpy(np.load(options["mel"]).T.copy())[None]

    @torch.inference_mode()
    def work(request: Mapping[str, Any]) -> Any:
        if request["whole"]:
            return model(mel).logits.sigmoid().numpy()
        x = shallow(mel).last_hidden_state
        return torch.cat([x[:, 0], x[:, 1], x[:, 2:].mean(1)], dim=1).numpy()

    return work


def _until(encoder: Any, block: int) -> Any:
    """Give an encoder of the first blocks, sharing their weights, without the final norm."""
    import torch

    shallow = copy.copy(encoder)
    shallow._modules = dict(encoder._modules)
    shallow.layers = torch.nn.ModuleList(encoder.layers[:block])
    shallow.layernorm = torch.nn.Identity()
    return shallow


if __name__ == "__main__":
    serve(open_peer, ("transformers", "torch"))
