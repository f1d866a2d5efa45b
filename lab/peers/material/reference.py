"""The weights, random: those of `maest-infer`'s model, which all others are made from."""

from __future__ import annotations

import numpy as np
import torch

from lab.peers.material.request import Request
from lab.peers.sizes import CLASSES
from reference_models import make_maest


def main() -> None:
    """Write weights.ckpt, as MAEST's releases have it, and weights.npz."""
    request = Request()
    size = request.size
    model = make_maest(size.frames, CLASSES, dim=size.dim, heads=size.heads, depth=size.depth)
    state = model.state_dict()
    named = {f"net.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": named}, request.folder / "weights.ckpt")
    np.savez(request.folder / "weights.npz", **{k: v.numpy() for k, v in state.items()})


if __name__ == "__main__":
    main()
