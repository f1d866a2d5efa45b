"""What each kind of operator took, by ONNX Runtime's profile."""

from __future__ import annotations

import gc
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import essentia_maest as maest

_SWITCH = "ESSENTIA_MAEST_PROFILE"
_SAMPLE_RATE = 16000
KINDS = {
    "products": (
        "MultiplyRows", "MultiplyAddRows", "MultiplyAddNormQuantizeRows",
        "MultiplyGeluQuantizeRows", "MatMulInteger", "DynamicQuantizeMatMul", "MatMul", "Gemm",
    ),
    "attention": ("QuantizedAttention", "MultiHeadAttention"),
    "GELU": ("BiasGelu", "GeluQuantizeRows"),
    "rows": (
        "QuantizeRows", "NormQuantizeRows", "DequantizeRows", "AddRows", "AddNormQuantizeRows",
        "LayerNormalization", "Add", "Split",
    ),
}  # fmt: skip
"""All others are "rest", as is what happens outside ONNX Runtime: mels, patches, the caller."""
_FEWEST_RUNS = 5


@dataclass(frozen=True)
class Measured:
    """One model with one patchout, one segment, one thread.

    Attributes
    ----------
    seconds : dict of str to float
        CPU time by kind of operator, and "rest"; each the median of all runs.
    tokens, dim, blocks : int
    """

    seconds: Mapping[str, float]
    tokens: int
    dim: int
    blocks: int

    @property
    def total(self) -> float:
        """Seconds of a run."""
        return sum(self.seconds.values())

    @property
    def products(self) -> float:
        """Multiplications and additions of products with weights, counted apart."""
        return self.blocks * 24.0 * self.tokens * self.dim**2

    @property
    def attention(self) -> float:
        """The same of attention."""
        return self.blocks * 4.0 * self.tokens**2 * self.dim


def measure(path: str, patchout: str, *, block: int, seconds: float) -> Measured:
    """Embed one segment of noise again and again.

    Parameters
    ----------
    path : str
        A model file, or a model's name.
    patchout : str
        As "F3T5".
    block : int
        Of the embedding: later ones are not computed.
    seconds : float
        How long; five runs at least, and one before that does not count.

    Returns
    -------
    Measured
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ[_SWITCH] = str(Path(folder) / "profile")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", maest.UntrainedModelWarning)
                model = maest.Model(path, num_threads=1)
        finally:
            del os.environ[_SWITCH]
        samples = int(model.segment_seconds * _SAMPLE_RATE)
        noise = 0.1 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
        whole: list[tuple[float, float]] = []  # by the clock, CPU time
        end = time.perf_counter() + seconds
        while len(whole) <= _FEWEST_RUNS or time.perf_counter() < end:
            clock, cpu = time.perf_counter(), time.process_time()
            model.embed(noise, block=block, patchout=patchout, tail="pad")
            whole.append((time.perf_counter() - clock, time.process_time() - cpu))
        dim = model.dim
        tokens = model.tokens(noise, block=1, patchout=patchout, tail="pad").shape[1]
        del model
        gc.collect()  # writes the profile
        (profile,) = Path(folder).iterdir()
        events = json.loads(profile.read_text(encoding="utf-8"))
    runs = [
        _of_cpu_time(kinds, clock, cpu)
        for kinds, (clock, cpu) in zip(seconds_by_kind(events), whole, strict=False)
    ][1:]
    medians = {kind: statistics.median(run[kind] for run in runs) for kind in runs[0]}
    return Measured(medians, tokens, dim, block)


def _of_cpu_time(kinds: Mapping[str, float], clock: float, cpu: float) -> dict[str, float]:
    """Leave out what other work took of the clock, as if it had hit all alike."""
    found = {kind: seconds * cpu / clock for kind, seconds in kinds.items()}
    return {**found, "rest": max(0.0, cpu - sum(found.values()))}


def seconds_by_kind(events: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Add up what operators took, for each run.

    Parameters
    ----------
    events : sequence of mapping
        ONNX Runtime's profile.

    Returns
    -------
    list of dict of str to float
        Kind -> seconds of the clock, in the order of the runs.
    """
    kind_of = {operator: kind for kind, operators in KINDS.items() for operator in operators}
    runs: list[dict[str, float]] = []
    # The event of a run begins before those of its operators.
    for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
        if event["name"] == "model_run":
            runs.append(dict.fromkeys(KINDS, 0.0))
        elif event["name"].endswith("_kernel_time"):
            kind = kind_of.get(event["args"]["op_name"])
            if kind is not None:
                runs[-1][kind] += 1e-6 * event["dur"]
    return runs
