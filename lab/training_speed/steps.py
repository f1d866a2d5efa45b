"""A training step of MAEST (base) with the paper's patchout: forward, backward, optimizer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch.nn import functional

from training.config import DataConfig, Experiment, ModelConfig, PatchoutConfig, RunConfig
from training.model.build import build_network
from training.model.maest import MAEST
from training.model.sizes import SIZES, segment_frames
from training.run.assembly import make_optimizer

CLASSES = 400
ROWS_DROPPED = 3
#: By the seconds of a segment (section 3.2).
COLUMNS_DROPPED = {10: 30, 30: 90}
#: compiled, narrow: `run.compile`, and `model.narrow_stream` as well.
PEERS = ("reference", "eager", "compiled", "narrow")
#: Ways to compile that no run takes: they are here to be measured; "narrow graphs" is both.
MODES = {"autotuned": "max-autotune-no-cudagraphs", "graphs": "reduce-overhead"}


@dataclass(frozen=True)
class Case:
    """What a step is of.

    Parameters
    ----------
    peer : str
        One of `PEERS` or `MODES`. The reference is maest-infer's network, which is the one that
        palonso/MAEST trains, with its optimizer (AdamW as torch makes it by default).
    seconds : int
        Of a segment.
    tracks : int
        Of a step, in one forward pass.
    device : {"cpu", "cuda"}
    precision : torch.dtype
        float32, or that of mixed precision.
    size : {"tiny", "small", "base"}
    matmul_precision : {"highest", "high"}
        Of float32 products on a GPU, as `run.matmul_precision`.
    """

    peer: str
    seconds: int
    tracks: int
    device: str
    precision: torch.dtype
    size: Literal["tiny", "small", "base"] = "base"
    matmul_precision: Literal["highest", "high"] = "high"

    @property
    def frames(self) -> int:
        """Mel frames of a segment."""
        return segment_frames(self.seconds)


def make_step(case: Case) -> Callable[[], None]:
    """Give a function that takes one training step; it does not wait for a GPU."""
    torch.manual_seed(0)
    mel = torch.randn(case.tracks, 96, case.frames, device=case.device)
    targets = (torch.rand(case.tracks, CLASSES, device=case.device) < 0.005).float()
    generator = torch.Generator().manual_seed(0)
    if case.peer == "reference":
        network = _reference(case).to(case.device).train()
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(network.parameters(), lr=2e-5)
    else:
        config = ModelConfig(
            size=case.size,
            seconds=case.seconds,
            patchout=PatchoutConfig(ROWS_DROPPED, COLUMNS_DROPPED[case.seconds]),
            narrow_stream=case.peer.startswith("narrow"),
        )
        network = build_network(config, CLASSES, seed=0).to(case.device).train()
        if case.peer != "eager":
            network.compile(mode=MODES.get(case.peer.removeprefix("narrow ")))
        nowhere = Path("unused")
        if case.device == "cuda":
            torch.set_float32_matmul_precision(case.matmul_precision)
        experiment = Experiment(DataConfig(nowhere), RunConfig(nowhere), config)
        optimizer = make_optimizer(network, experiment)

    def step() -> None:
        with torch.autocast(case.device, case.precision, enabled=case.precision != torch.float32):
            if case.peer == "reference":
                logits = network(mel[:, None], melspectrogram_input=True)[0]
            else:
                logits = network(mel, generator=generator).logits
            loss = functional.binary_cross_entropy_with_logits(logits, targets)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _reference(case: Case) -> torch.nn.Module:
    from reference_models import _import_with_torchaudio  # of tests/python

    model = _import_with_torchaudio("maest_infer.model").MAEST
    size = SIZES[case.size]
    network: torch.nn.Module = model(
        img_size=(96, case.frames),
        stride=(10, 10),
        num_classes=CLASSES,
        embed_dim=size.dim,
        depth=size.depth,
        num_heads=size.heads,
        distilled=True,
        s_patchout_f=ROWS_DROPPED,
        s_patchout_t=COLUMNS_DROPPED[case.seconds],
    )
    # Its float32 products are as torch makes them, without TF32.
    torch.set_float32_matmul_precision("highest")
    return network


def matrix_products(case: Case) -> float:
    """Count the operations of a step that are matrix products: forward once, backward twice."""
    size = SIZES[case.size]
    shape = MAEST(
        dim=size.dim, depth=size.depth, heads=size.heads, classes=1, segment_frames=case.frames
    )
    dim, depth = shape.dim, shape.depth
    kept = (9 - ROWS_DROPPED) * (shape.columns - COLUMNS_DROPPED[case.seconds])
    tokens, wanted = kept + 2, 2  # the last block computes two tokens, but keys and values of all
    block = 12 * dim * dim * tokens + 2 * dim * tokens * tokens
    last = 2 * dim * dim * tokens + 10 * dim * dim * wanted + 2 * dim * tokens * wanted
    return 3 * 2.0 * case.tracks * ((depth - 1) * block + last + 256 * dim * kept)


def matrix_rate(device: str, precision: torch.dtype) -> float:
    """Measure operations a second of one large matrix product, the best of several."""
    size = 8192 if device == "cuda" else 1536
    a, b = (torch.randn(size, size, device=device, dtype=precision) for _ in range(2))
    best = float("inf")
    for _ in range(24):
        wait_for(device)
        start = time.perf_counter()
        a @ b
        wait_for(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def wait_for(device: str) -> None:
    """Let a GPU finish."""
    if device == "cuda":
        torch.cuda.synchronize()
