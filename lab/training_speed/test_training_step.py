"""A training step of MAEST (base) with the paper's patchout: ours against the reference.

Forward and backward pass, optimizer, gradients cleared; no data loading. On the CPU in float32, on
a GPU, where there is one, in bfloat16 as well. A GPU is waited for after several steps, as a
training run waits for it only to write a row of its log.

Beside the time of a step each entry has tracks a second, the largest memory on a GPU, and the share
of the machine's matrix rate (measured in the same run, with the precision of the entry) that the
products of the step would take alone. Cases do not see each other's compilations.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from essentia_maest import _core
from lab.training_speed.steps import (
    PEERS,
    Case,
    make_step,
    matrix_products,
    matrix_rate,
    wait_for,
)

# Seconds and tracks. On a GPU: the paper's batch, and as many tokens of 10 s as of 30 s and more.
CPU_SIZES = [(10, 6), (30, 2)]
GPU_SIZES = [(10, 48), (10, 192), (30, 48)]
GPU_STEPS = 5


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Keep compilations, and memory on a GPU, from the next case."""
    torch._dynamo.reset()
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measure(benchmark: Any, case: Case) -> None:
    torch.set_num_threads(_core.available_cpus())
    gpu = case.device == "cuda"
    step = make_step(case)
    steps = GPU_STEPS if gpu else 1

    def several() -> None:
        for _ in range(steps):
            step()
        wait_for(case.device)

    several()  # compiles
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(several, rounds=10 if gpu else 4, warmup_rounds=1 if gpu else 0)
    best = benchmark.stats.stats.min / steps
    rate = matrix_products(case) / best
    benchmark.extra_info |= {
        "steps": steps,
        "tracks_per_second": case.tracks / best,
        "share_of_matrix_rate": rate / matrix_rate(case.device, case.precision),
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if gpu else None,
    }


@pytest.mark.parametrize("peer", PEERS[:-1])
@pytest.mark.parametrize(("seconds", "tracks"), CPU_SIZES)
def test_training_step(benchmark: Any, seconds: int, tracks: int, peer: str) -> None:
    benchmark.group = f"training step, {tracks} tracks of {seconds} s, CPU, float32"
    measure(benchmark, Case(peer, seconds, tracks, "cpu", torch.float32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize(("seconds", "tracks"), GPU_SIZES)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_training_step_on_a_gpu(
    benchmark: Any, precision: torch.dtype, seconds: int, tracks: int, peer: str
) -> None:
    if (peer, precision) == ("narrow", torch.float32):
        pytest.skip("narrow is of mixed precision")
    benchmark.group = f"training step, {tracks} tracks of {seconds} s, GPU, {precision}"
    measure(benchmark, Case(peer, seconds, tracks, "cuda", precision))
