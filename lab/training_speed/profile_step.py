"""Where the time of a training step goes on a GPU, by kind of kernel, as a Markdown table.

python -m lab.training_speed.profile_step --seconds=30 --tracks=48 --peer=compiled
"""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import torch
from torch.profiler import ProfilerActivity, profile

from lab.training_speed.steps import PEERS, Case, make_step

STEPS = 4
#: The first whose pattern is found in a kernel's name has it.
KINDS = (
    ("attention", r"sdpa|flash|fmha|cudnn::fusion"),
    ("matrix products", r"gemm|nvjet|cutlass|splitKreduce|_mm_"),
    ("optimizer", r"multi_tensor_apply"),
    ("GELU, with the gradient of the bias before it", r"gelu"),
    ("norms and sums of blocks", r"norm|rsqrt|mean"),
    ("gradients of query, key and value put together", r"stack"),
    ("copies, casts, other sums", r""),
)


def kind_of(kernel: str) -> str:
    """Say what kind of work a kernel does, by its name."""
    return next(kind for kind, pattern in KINDS if re.search(pattern, kernel))


def table(kernels: Iterable[tuple[str, float]], steps: int) -> list[str]:
    """Give rows of time, calls and share by kind, from every kernel's name and microseconds."""
    time: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for name, microseconds in kernels:
        time[kind_of(name)] += microseconds
        calls[kind_of(name)] += 1
    total = sum(time.values())
    rows = ["| kernels | ms a step | share | calls a step |", "|-|-|-|-|"]
    rows += [
        f"| {kind} | {spent / steps / 1e3:.2f} | {spent / total:.1%} | {calls[kind] / steps:.0f} |"
        for kind, spent in sorted(time.items(), key=lambda item: -item[1])
    ]
    return [
        *rows,
        f"| all | {total / steps / 1e3:.2f} | 100% | {sum(calls.values()) / steps:.0f} |",
    ]


def main() -> None:
    """Profile one case and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=PEERS, default="compiled")
    parser.add_argument("--seconds", type=int, choices=(10, 30), default=30)
    parser.add_argument("--tracks", type=int, default=48)
    values = parser.parse_args()
    step = make_step(Case(values.peer, values.seconds, values.tracks, "cuda", torch.bfloat16))
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        for _ in range(STEPS):
            step()
        torch.cuda.synchronize()
    kernels = [
        (event.name, float(event.device_time))
        for event in found.events() or ()
        if event.device_type.name == "CUDA"
    ]
    print("\n".join(table(kernels, STEPS)))


if __name__ == "__main__":
    main()
