"""Small networks, and maest-infer's with the same weights; helpers of the tests of models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from reference_models import make_maest, randomize
from training.config import PatchoutConfig
from training.model.maest import MAEST

ROWS = 9
SMALL = {"dim": 48, "depth": 3, "heads": 4}


def reference_maest(
    frames: int, classes: int = 7, *, head: str = "mean", dim=48, depth=3, heads=4, **patchout
) -> nn.Module:
    """Build maest-infer's model, every parameter drawn so that it matters."""
    return make_maest(
        frames, classes, dim=dim, heads=heads, depth=depth, distilled_type=head, **patchout
    )


def our_maest(
    frames: int, classes: int = 7, *, head="mean", dim=48, depth=3, heads=4, patchout=None
) -> MAEST:
    """Build ours with the same hyperparameters, every parameter drawn so that it matters."""
    model = MAEST(
        dim=dim,
        depth=depth,
        heads=heads,
        classes=classes,
        segment_frames=frames,
        head=head,
        patchout=patchout or PatchoutConfig(),
    )
    randomize(model, seed=0)
    return model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@contextmanager
def reference_draws(*, keeps: list[Tensor], offset: int = 0) -> Iterator[None]:
    """Let maest-infer keep these indices, one tensor a draw: columns, rows, then patches."""
    draws = iter(keeps)

    def permutation(count: int) -> Tensor:
        kept = next(draws)
        rest = [index for index in range(count) if index not in set(kept.tolist())]
        return torch.cat([kept, torch.tensor(rest, dtype=torch.int64)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randperm", permutation)
        patch.setattr(torch, "randint", lambda *_arguments, **_keywords: torch.tensor([offset]))
        yield
    assert next(draws, None) is None
