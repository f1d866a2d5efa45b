"""How fast a model is on this machine: what `maest bench` measures."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..decoding.audio import load_audio
from ..errors import InvalidArgumentError, UntrainedModelWarning
from ..front_end import FRAME_SIZE, HOP_SIZE, SAMPLE_RATE
from ..machine import machine, versions
from ..model import Model
from ..request import BLOCK, Request
from ..spectrogram import mel_spectrogram

Samples = npt.NDArray[np.float32]

PATCHOUTS = ("F0T0", "F3T0", "F3T2", "F3T3", "F3T5", "F4T10")
"""Those of the paper's Figure 3."""


@dataclass(frozen=True)
class Benchmark:
    """What was measured.

    Parameters
    ----------
    machine, versions, model, audio : str
        What it was measured on.
    threads : int
    seconds : float
        Of audio.
    loading, first_result : float
        Seconds to open the model, and from a file's name to its first result with it.
    steps : dict of str to float
        Seconds that each takes for the whole audio: the fastest of all rounds.
    """

    machine: str
    versions: str
    model: str
    audio: str
    threads: int
    seconds: float
    loading: float
    first_result: float
    steps: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it, with how many times faster than real time each step is."""
        return {
            **vars(self),
            "times_real_time": {
                name: round(self.seconds / taken, 1) for name, taken in self.steps.items()
            },
        }

    def lines(self) -> list[str]:
        """Tell it in lines."""
        width = max(map(len, self.steps))
        return [
            f"machine   {self.machine}",
            f"versions  {self.versions}",
            f"model     {self.model}",
            f"audio     {self.audio}, {self.seconds:.1f} s",
            f"threads   {self.threads}",
            f"loading   {self.loading:.2f} s; file to first result {self.first_result:.2f} s",
            "",
            f"{'':{width}}  {'ms':>9}  times real time",
            *(
                f"{name:{width}}  {1e3 * taken:9.1f}  {self.seconds / taken:15.0f}"
                for name, taken in self.steps.items()
            ),
        ]


def run_benchmark(
    model: str,
    audio: Path,
    *,
    threads: int = 1,
    block: int | None = None,
    patchouts: Sequence[str] = PATCHOUTS,
    rounds: int = 3,
) -> Benchmark:
    """Measure a model's speed on some music.

    The steps take turns, so that what else the machine does hits all of them alike; of each the
    fastest of all rounds counts, as nothing but others' work makes one slower.

    Parameters
    ----------
    model : str
        File, or name of a model shipped with the package.
    audio : Path
        An audio file; it is cut to whole segments, or repeated to one.
    threads : int
        That one call may use; 0 is as many as this process may.
    block : int, optional
        Of the embeddings; by default 7, or the last of a shallower model.
    patchouts : sequence of str
        Those that the model does not take are left out: Essentia's official files take none but
        F0T0, short segments no large steps.
    rounds : int
        At least 1.

    Returns
    -------
    Benchmark

    Raises
    ------
    InvalidArgumentError
        If there are no rounds, or the model cannot do what is asked.
    ModelError, AudioFileError
        If a file cannot be used.
    """
    if rounds < 1:
        raise InvalidArgumentError(f"{rounds} rounds: wanted at least 1")
    here = machine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedModelWarning)
        loading, opened = _time(lambda: Model(model, num_threads=threads))
    if block is not None:
        opened.plan(Request(("embeddings",), block=block))  # refuses what the model does not have
    block = min(BLOCK, opened.depth) if block is None else block
    first_result, _ = _time(lambda: opened.predict(load_audio(audio), tail="repeat"))
    signal = whole_segments(load_audio(audio), opened)
    work: dict[str, Callable[[], object]] = {
        "mel frames": partial(mel_spectrogram, signal),
        "predictions, F0T0": partial(opened.predict, signal),
    }
    for patchout in patchouts:
        if not takes_patchout(opened, block, patchout):
            continue
        work[f"embeddings of block {block}, {patchout}"] = partial(
            opened.embed, signal, block=block, patchout=patchout
        )
    fastest = np.min([[_time(one)[0] for one in work.values()] for _ in range(rounds)], axis=0)
    seconds = len(signal) / SAMPLE_RATE
    whole = load_audio(audio)
    decoding = min(_time(lambda: load_audio(audio))[0] for _ in range(rounds))
    return Benchmark(
        machine=here,
        versions=versions(),
        model=f"{opened.name}, {opened.precision}, {opened.depth} blocks of {opened.dim}",
        audio=audio.name,
        threads=opened.num_threads,
        seconds=seconds,
        loading=loading,
        first_result=first_result,
        steps={
            "decoding": decoding * len(signal) / len(whole),
            **dict(zip(work, fastest.tolist(), strict=True)),
        },
    )


def takes_patchout(model: Model, block: int, patchout: str) -> bool:
    """Tell whether a model gives embeddings with a patchout."""
    if "embeddings" not in model.outputs:  # an official file that gives no tokens
        return False
    try:
        model.plan(Request(("embeddings",), block=block, patchout=patchout))
    except InvalidArgumentError:
        return False
    return True


def whole_segments(signal: Samples, model: Model) -> Samples:
    """Cut a signal to whole segments, or repeat it to one: a part of one would cost as much."""
    plan = model.plan(Request())
    hop = plan.hop_frames * HOP_SIZE
    segment = plan.segment_frames * HOP_SIZE + FRAME_SIZE  # the last frame begins before the end
    if len(signal) < segment:
        return np.resize(signal, segment)
    return signal[: segment + (len(signal) - segment) // hop * hop]


def _time(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    done = work()
    return time.perf_counter() - start, done
