"""The network as torch exports it to ONNX, for any runtime.

Which patches are kept is an input, so that one file does for every patchout.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from lab.peers.maest_model import load_maest
from lab.peers.material.request import Request
from lab.peers.sizes import BLOCK


class Patched(nn.Module):
    """`maest-infer`'s model with the kept rows and columns of patches as inputs."""

    def __init__(self, maest: Any, *, whole: bool) -> None:
        super().__init__()
        self.maest = maest
        self.whole = whole

    def forward(self, mel: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Give activations [batch, classes], or embeddings, of mel [batch, 1, 96, frames]."""
        maest: Any = self.maest
        x = maest.patch_embed(mel)
        x = x + maest.time_new_pos_embed[..., : x.shape[-1]] + maest.freq_new_pos_embed
        x = x.index_select(2, rows).index_select(3, columns).flatten(2).transpose(1, 2)
        tokens = torch.cat([maest.cls_token, maest.dist_token], dim=1) + maest.new_pos_embed
        x = torch.cat([tokens.expand(x.shape[0], -1, -1), x], dim=1)
        for block in maest.blocks if self.whole else maest.blocks[:BLOCK]:
            x = block(x)
        if not self.whole:
            return torch.cat([x[:, 0], x[:, 1], x[:, 2:].mean(1)], dim=1)
        x = maest.norm(x)
        return torch.sigmoid(maest.head((x[:, 0] + x[:, 1]) / 2))


def main() -> None:
    """Write embedding.onnx and full.onnx."""
    request = Request()
    size = request.size
    maest = load_maest(request.needed("reference") / "weights.ckpt", size)
    mel = torch.zeros(1, 1, 96, size.frames)
    rows, columns = (torch.tensor(kept) for kept in size.kept("F3T2"))
    for name in ("embedding", "full"):
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                Patched(maest, whole=name == "full").eval(),
                (mel, rows, columns),
                str(request.folder / f"{name}.onnx"),
                input_names=["mel", "rows", "columns"],
                output_names=["result"],
                dynamic_axes={"rows": {0: "rows"}, "columns": {0: "columns"}},
                opset_version=17,
                dynamo=False,
            )


if __name__ == "__main__":
    main()
