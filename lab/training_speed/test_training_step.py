"""A training step of MAEST (base) with the paper's patchout: ours against the reference.

Forward and backward pass, optimizer, gradients cleared; no data loading. The reference is
maest-infer's network, which is the one that palonso/MAEST trains, with its optimizer (AdamW as
torch makes it by default); ours has the optimizer of `training`. On the CPU in float32, on a GPU,
where there is one, in bfloat16 as well.

Beside the time each entry has tracks a second, the largest memory on a GPU, and the share of the
machine's matrix rate (measured in the same run, with the precision of the entry) that the products
of the step would take alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from essentia_maest import _core
from reference_models import _import_with_torchaudio
from training.config import DataConfig, Experiment, ModelConfig, PatchoutConfig, RunConfig
from training.model.build import build_network
from training.model.maest import MAEST
from training.model.sizes import SIZES
from training.run.assembly import make_optimizer

CLASSES = 400
# Seconds: frames, columns dropped (section 3.2), tracks on the CPU and on a GPU.
CASES = {10: (626, 30, 6, 96), 30: (1876, 90, 2, 32)}
ROWS_DROPPED = 3
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
PEERS = ["reference", "eager", "compiled"]

Step = Callable[[], None]


def reference_network(frames: int, columns: int) -> torch.nn.Module:
    model = _import_with_torchaudio("maest_infer.model").MAEST
    size = SIZES["base"]
    network: torch.nn.Module = model(
        img_size=(96, frames),
        stride=(10, 10),
        num_classes=CLASSES,
        embed_dim=size.dim,
        depth=size.depth,
        num_heads=size.heads,
        distilled=True,
        s_patchout_f=ROWS_DROPPED,
        s_patchout_t=columns,
    )
    return network


def make_step(peer: str, seconds: int, device: str, precision: torch.dtype) -> Step:
    """Give a function that takes one training step."""
    frames, columns, *batches = CASES[seconds]
    batch = batches[DEVICES.index(device)]
    torch.manual_seed(0)
    mel = torch.randn(batch, 96, frames, device=device)
    targets = (torch.rand(batch, CLASSES, device=device) < 0.005).float()
    generator = torch.Generator().manual_seed(0)
    if peer == "reference":
        network = reference_network(frames, columns).to(device).train()
        optimizer: torch.optim.Optimizer = torch.optim.AdamW(network.parameters(), lr=2e-5)
    else:
        config = ModelConfig(seconds=seconds, patchout=PatchoutConfig(ROWS_DROPPED, columns))
        network = build_network(config, CLASSES, seed=0).to(device).train()
        if peer == "compiled":
            network.compile()
        nowhere = Path("unused")
        experiment = Experiment(data=DataConfig(nowhere), run=RunConfig(nowhere), model=config)
        optimizer = make_optimizer(network, experiment)

    def step() -> None:
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            if peer == "reference":
                logits = network(mel[:, None], melspectrogram_input=True)[0]
            else:
                logits = network(mel, generator=generator).logits
            loss = functional.binary_cross_entropy_with_logits(logits, targets)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def matrix_products(network: MAEST, frames: int, columns: int, batch: int) -> float:
    """Count the operations of a step that are matrix products: forward once, backward twice."""
    dim, depth = network.dim, network.depth
    kept = (9 - ROWS_DROPPED) * ((frames - 16) // 10 + 1 - columns)
    tokens, wanted = kept + 2, 2  # the last block computes two tokens, but keys and values of all
    block = 12 * dim * dim * tokens + 2 * dim * tokens * tokens
    last = 2 * dim * dim * tokens + 10 * dim * dim * wanted + 2 * dim * tokens * wanted
    return 3 * 2.0 * batch * ((depth - 1) * block + last + 256 * dim * kept)


def matrix_rate(device: str, precision: torch.dtype) -> float:
    """Measure operations a second of one large matrix product, the best of several."""
    size = 8192 if device == "cuda" else 1536
    a, b = (torch.randn(size, size, device=device, dtype=precision) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def measure(benchmark: Any, peer: str, seconds: int, device: str, precision: torch.dtype) -> None:
    frames, columns, *batches = CASES[seconds]
    batch = batches[DEVICES.index(device)]
    torch.set_num_threads(_core.available_cpus())
    step = make_step(peer, seconds, device, precision)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    rounds = 20 if device == "cuda" else 4
    benchmark.pedantic(step, rounds=rounds, warmup_rounds=3 if device == "cuda" else 1)
    best = benchmark.stats.stats.min
    size = SIZES["base"]
    shape = MAEST(
        dim=size.dim, depth=size.depth, heads=size.heads, classes=1, segment_frames=frames
    )  # fmt: skip
    rate = matrix_products(shape, frames, columns, batch) / best
    benchmark.extra_info |= {
        "tracks_per_second": batch / best,
        "share_of_matrix_rate": rate / matrix_rate(device, precision),
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else None,
    }


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("seconds", CASES)
def test_training_step(benchmark: Any, seconds: int, peer: str) -> None:
    benchmark.group = f"training step, MAEST-{seconds}s, CPU, float32"
    measure(benchmark, peer, seconds, "cpu", torch.float32)


@pytest.mark.skipif("cuda" not in DEVICES, reason="no GPU here")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("seconds", CASES)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_training_step_on_a_gpu(
    benchmark: Any, precision: torch.dtype, seconds: int, peer: str
) -> None:
    benchmark.group = f"training step, MAEST-{seconds}s, GPU, {precision}"
    measure(benchmark, peer, seconds, "cuda", precision)
