"""`maest-infer`'s model with the weights that all peers have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.peers.sizes import CLASSES, ROWS_DROPPED, Size


def load_maest(weights: str | Path, size: Size) -> Any:
    """Build the model and load a file of `lab.peers.material.reference`."""
    import torch

    from reference_models import make_maest

    model = make_maest(size.frames, CLASSES, dim=size.dim, heads=size.heads, depth=size.depth)
    state = torch.load(weights)["state_dict"]
    model.load_state_dict({name.removeprefix("net."): value for name, value in state.items()})
    return model.eval()


def set_patchout(model: Any, patchout: str) -> None:
    """Let the model drop the patches that, for instance, F3T2 drops."""
    model.s_patchout_f_indices = list(ROWS_DROPPED[patchout[:2]])
    model.s_patchout_t_interleaved = int(patchout[3:])
