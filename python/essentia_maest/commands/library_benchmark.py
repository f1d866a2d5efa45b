"""How long a library will take: what `maest bench PATH` tells, from a few of its files.

Decoding, and whatever else goes with a track, is measured on these files as `maest analyze` runs
them; what a patchout takes besides, on some of their samples, in as many threads. Both are CPU
time, which others' work does not change; what the clock takes besides is the same for all.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .. import _core
from ..collection.analysing import Analysed, Analysing
from ..collection.forecast import Collection, Estimate, told_seconds
from ..collection.opening import open_track
from ..collection.options import AnalysisOptions, Shares
from ..collection.outcomes import Failure
from ..collection.scan import Scan, Track
from ..errors import InvalidArgumentError, MaestError, UntrainedModelWarning
from ..front_end import SAMPLE_RATE
from ..machine import machine, versions
from ..model import Model
from ..request import Request
from .benchmark import PATCHOUTS, takes_patchout, whole_segments

_OPENED = 1000
_SEGMENTS = 4
_FEWEST, _BY_THREAD = 20, 4


@dataclass(frozen=True)
class LibraryBenchmark:
    """What was measured, and what it comes to.

    Attributes
    ----------
    machine, versions, model : str
        What it was measured on.
    cpus : int
        How many the run would use.
    files, bytes : int
        Of the library.
    audio_hours : Estimate
        Of the library, by what files say of themselves.
    sampled, failed : int
        Files that were analysed, and how many of them came to nothing.
    sampled_hours : float
        Of audio, in these.
    decoding : float
        CPU seconds of decoding for a second of audio.
    clock : float
        Times the clock takes what the CPUs take, divided by their number: 1 is all of them busy.
    hours : dict of str to Estimate
        Patchout -> how long ``maest analyze`` will take.
    """

    machine: str
    versions: str
    model: str
    cpus: int
    files: int
    bytes: int
    audio_hours: Estimate
    sampled: int
    failed: int
    sampled_hours: float
    decoding: float
    clock: float
    hours: dict[str, Estimate]

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Tell it in lines."""
        audio = self.audio_hours
        return [
            f"machine   {self.machine}",
            f"versions  {self.versions}",
            f"model     {self.model}",
            f"library   {self.files} files, {self.bytes / 1e9:.2f} GB, {_spread(audio)} hours of "
            f"audio by what {audio.sampled} files say",
            f"sampled   {self.sampled} files, {self.sampled_hours:.2f} hours of audio, "
            f"{self.failed} failed; decoding takes {1e3 * self.decoding:.2f} ms of a CPU for a "
            "second of audio",
            f"CPUs      {self.cpus}; the clock takes {self.clock:.2f} times what they do",
            "",
            "patchout  all of it takes                 minutes of audio a second",
            *(
                f"{patchout:8}  {_times(hours):30}  {60 * audio.value / (3600 * hours.value):.3g}"
                for patchout, hours in self.hours.items()
            ),
            "",
            "In brackets: 9 of 10 draws of the files that were tried.",
        ]


def _spread(found: Estimate) -> str:
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


def _times(hours: Estimate) -> str:
    unit, by = ("h", 1.0) if hours.value >= 1 else ("min", 60.0)
    low, high = hours.low * by, hours.high * by
    return f"{hours.value * by:.3g} {unit} ({low:.3g} to {high:.3g})"


@dataclass(frozen=True)
class _Reference:
    """A run over some files, as `maest analyze` makes it."""

    decoding: dict[int, float]
    seconds: dict[int, float]
    segments: int
    computing: float
    clock: float
    failed: int


def bench_library(
    model: str,
    found: Scan,
    *,
    files: int | None = None,
    block: int | None = None,
    patchouts: Sequence[str] = PATCHOUTS,
) -> LibraryBenchmark:
    """Tell how long a library will take.

    Parameters
    ----------
    model : str
        File, or name of a model.
    found : Scan
        The library.
    files : int, optional
        How many are analysed for it; by default 20, or 4 for each thread.
    block : int, optional
        Of the embeddings; by default 7, or the last of a shallower model.
    patchouts : sequence of str
        Those that the model does not take are left out.

    Returns
    -------
    LibraryBenchmark

    Raises
    ------
    InvalidArgumentError
        There is nothing to measure, or the model cannot do what is asked.
    ModelError
        There is no such model.
    """
    shares = Shares.of(None, 0)
    count = max(_FEWEST, _BY_THREAD * shares.threads) if files is None else files
    if count < 1:
        raise InvalidArgumentError(f"{count} files: wanted at least 1")
    here = machine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedModelWarning)
        opened = Model(model, num_threads=1)
    block = min(cast(int, Request().block), opened.depth) if block is None else block
    taken = [patchout for patchout in patchouts if takes_patchout(opened, block, patchout)]
    collection = Collection(found.tracks)
    order = collection.sample(len(found.tracks))
    some = order[:count]
    asked = [_asked(opened, block, patchout) for patchout in taken] or [Request(("predictions",))]
    costs = _computing(opened, asked, [found.tracks[number] for number in some], shares.threads)
    # The fastest: it is in the reference, and the less it takes, the more can be sampled.
    fastest = int(np.argmin(costs))
    run = _run(opened, AnalysisOptions(asked[fastest]), shares, collection, some)
    if not sum(run.seconds.values()):
        raise InvalidArgumentError(f"none of {len(some)} files that were tried can be decoded")
    told = told_seconds(collection, order[:_OPENED], shares.workers)
    audio = collection.draws({**told, **run.seconds})
    besides = collection.draws(run.decoding)
    cpus = _core.available_cpus()
    sampled = sum(run.seconds.values())
    of_second = [
        max(0.0, run.computing + run.segments * (cost - costs[fastest])) / sampled for cost in costs
    ]
    hours = {
        name: Estimate.of((besides + audio * cost) * (run.clock / cpus / 3600), len(some))
        for name, cost in zip(taken or ["F0T0"], of_second, strict=True)
    }
    return LibraryBenchmark(
        machine=here,
        versions=versions(),
        model=f"{opened.name}, {opened.precision}, {opened.depth} blocks of {opened.dim}",
        cpus=cpus,
        files=len(found.tracks),
        bytes=int(collection.sizes.sum()),
        audio_hours=Estimate.of(audio / 3600, len(told)),
        sampled=len(some),
        failed=run.failed,
        sampled_hours=sampled / 3600,
        decoding=sum(run.decoding.values()) / sampled,
        clock=run.clock,
        hours=hours,
    )


def _asked(model: Model, block: int, patchout: str) -> Request:
    outputs = [name for name in ("predictions", "embeddings") if name in model.outputs]
    return Request(tuple(outputs), block=block, patchout=patchout)


def _computing(
    model: Model, asked: Sequence[Request], tracks: Sequence[Track], threads: int
) -> list[float]:
    """Measure the CPU seconds that each request takes for a segment, all threads busy."""
    signal = whole_segments(_music(tracks, model), model)

    def compute(request: Request) -> int:
        stream = model.open_stream(request)
        given = (stream.push(signal), stream.finish())
        return sum(len(outputs[0]) for outputs in given)

    costs = []
    with ThreadPoolExecutor(threads) as pool:
        for request in asked:
            for measured in (False, True):
                started = time.process_time()
                segments = sum(pool.map(compute, [request] * threads))
                if measured:
                    costs.append((time.process_time() - started) / segments)
    return costs


def _music(tracks: Sequence[Track], model: Model) -> npt.NDArray[np.float32]:
    plan = model.plan(Request())
    wanted = round((plan.segment_seconds + (_SEGMENTS - 1) * plan.hop_seconds + 1) * SAMPLE_RATE)
    for track in tracks:
        try:
            with open_track(track.path) as file:
                samples = file.read(wanted)
        except MaestError:
            continue
        if len(samples):
            return np.resize(samples, wanted)
    raise InvalidArgumentError(f"none of {len(tracks)} files that were tried can be decoded")


def _run(
    model: Model,
    options: AnalysisOptions,
    shares: Shares,
    collection: Collection,
    numbers: Sequence[int],
) -> _Reference:
    number_of = {collection.tracks[number].path: number for number in numbers}
    decoding: dict[int, float] = {}
    seconds: dict[int, float] = {}
    clocks: list[tuple[float, float, float]] = []
    failed = 0

    def conclude(analysed: Analysed) -> tuple[float, float, int]:
        seconds = analysed.facts.samples / SAMPLE_RATE
        return seconds, analysed.seconds.decode, len(analysed.analysis.starts)

    analysing = Analysing(model, options, shares, conclude, open_audio=open_track, hashed=True)
    before = time.process_time()
    decoded, segments = 0.0, 0
    for track, outcome in analysing.run([collection.tracks[number] for number in numbers]):
        number = number_of[track.path]
        if isinstance(outcome, Failure):
            failed += 1
            seconds[number] = decoding[number] = 0.0
        else:
            seconds[number], decoding[number] = outcome[:2]
            decoded += outcome[1]
            segments += outcome[2]
        clocks.append((time.monotonic(), time.process_time() - before, decoded))
    computing = time.process_time() - before
    clock = _clock(clocks, shares.threads)
    return _Reference(decoding, seconds, segments, computing, clock, failed)


def _clock(clocks: Sequence[tuple[float, float, float]], threads: int) -> float:
    """Compare clock and CPU time between the first track done and those that end alone."""
    last = len(clocks) - threads
    if last < 2:
        return 1.0
    (began, computed, decoded), (ended, all_computed, all_decoded) = clocks[0], clocks[last]
    used = all_computed - computed + all_decoded - decoded
    return max(1.0, (ended - began) * _core.available_cpus() / used) if used > 0 else 1.0
