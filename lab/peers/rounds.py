"""Rounds: in each, every peer does each of its cases once, in turn.

What else the machine does so hits all alike, and ratios are taken within rounds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from lab.peers.definitions import Peer, Study
from lab.peers.outcomes import CaseResult, PeerResult
from lab.peers.process import PeerError, PeerProcess

Start = Callable[[Peer, Sequence[int]], PeerProcess]
"""Starts a peer on these CPUs; raises PeerError."""
Tell = Callable[[str], None]

_REPEAT_SECONDS = 0.3
_PAUSE_SECONDS = 0.05
"""Threads of the one before may spin for a moment before they sleep."""


def run_study(
    study: Study,
    start: Start,
    *,
    rounds: int,
    tell: Tell,
    repeat_seconds: float = _REPEAT_SECONDS,
) -> list[PeerResult]:
    """Measure a study.

    A peer that fails is told of and left out from there on; the others go on.

    Parameters
    ----------
    study : Study
    start : callable
    rounds : int
        That count; one more comes first.
    tell : callable
        Is told what happens.
    repeat_seconds : float
        A case that takes less is repeated until so long has passed; the mean counts.

    Returns
    -------
    list of PeerResult
        In the order of the study's peers.
    """
    rounds = min(rounds, study.most_rounds or rounds)
    results = [PeerResult(peer, [CaseResult(case) for case in peer.cases]) for peer in study.peers]
    with ExitStack() as stack:
        run = _Run(study, start, tell, repeat_seconds, stack)
        if not study.fresh:
            for result in results:
                tell(f"{study.name}: preparing {result.peer.name}")
                with run.failures_kept(result):
                    run.open(result)
        turns = [(result, case) for result in results for case in result.cases]
        for number in range(rounds + 1):
            tell(f"{study.name}: round {number} of {rounds}")
            for result, case in _rotated(turns, number):
                taken = None
                if result.reason is None and not (number and run.too_slow(result, case)):
                    with run.failures_kept(result):
                        taken = run.turn(result, case, first=number == 0)
                if number:
                    case.seconds.append(taken)
    _compare(study, results)
    return results


class _Run:
    """A study that is being measured: the processes that are open."""

    def __init__(
        self, study: Study, start: Start, tell: Tell, repeat_seconds: float, stack: ExitStack
    ) -> None:
        self._study = study
        self._start = start
        self._tell = tell
        self._repeat_seconds = repeat_seconds
        self._stack = stack
        self._processes: dict[str, PeerProcess] = {}

    @contextmanager
    def failures_kept(self, result: PeerResult) -> Iterator[None]:
        """Note a peer's failure, and end it."""
        try:
            yield
        except PeerError as error:
            result.reason = str(error)
            self._tell(f"{result.peer.name} is left out: {error}")
            if result.peer.name in self._processes:
                self._processes[result.peer.name].close()

    def open(self, result: PeerResult) -> None:
        """Start a peer that stays until the study ends."""
        process = self._stack.enter_context(self._started(result))
        self._processes[result.peer.name] = process

    def too_slow(self, result: PeerResult, case: CaseResult) -> bool:
        """Tell whether its first time is all that is asked of a case."""
        if self._study.once_beyond is None or case.first is None:
            return False
        is_reference = (result.peer.name, case.case.name) == self._study.reference
        return case.first > self._study.once_beyond and not is_reference

    def turn(self, result: PeerResult, case: CaseResult, *, first: bool) -> float:
        """Let a peer do a case, and give the seconds that it took."""
        time.sleep(_PAUSE_SECONDS)
        if self._study.fresh:
            return self._first_result(result, case, counts=not first)
        more = {"give": True} if first else {"repeat_seconds": self._repeat_seconds}
        answer = _asked(self._processes[result.peer.name], case, more)
        result.memory = answer.pop("memory")
        seconds = float(answer.pop("seconds"))
        if first:
            case.first = seconds
            case.values = answer.pop("values", None)
        case.more = {name: answer[name] for name in answer if name not in ("calls", "shape")}
        return seconds

    def _first_result(self, result: PeerResult, case: CaseResult, *, counts: bool) -> float:
        with self._started(result) as process:
            cold, warm = _asked(process, case, {}), _asked(process, case, {})
        if counts:
            parts = {
                "load": process.started_seconds,
                "cold": cold["seconds"],
                "warm": warm["seconds"],
            }
            for name, seconds in parts.items():
                case.more.setdefault(name, []).append(seconds)
        result.memory = warm["memory"]
        return float(process.started_seconds + cold["seconds"])

    def _started(self, result: PeerResult) -> PeerProcess:
        count = result.peer.threads or self._study.threads
        process = self._start(result.peer, sorted(os.sched_getaffinity(0))[:count])
        result.load_seconds = process.opened["seconds"]
        result.memory_opened = process.opened["memory"]
        result.versions = process.opened["versions"]
        return process


def _asked(process: PeerProcess, case: CaseResult, more: dict[str, Any]) -> dict[str, Any]:
    answer = process.ask({**case.case.request, **more})
    shape = case.case.shape
    if shape is not None and tuple(answer.get("shape", ())) != shape:
        raise PeerError(f"{case.case.name}: gave {answer.get('shape')}; wanted is {list(shape)}")
    return answer


def _rotated(turns: Sequence[Any], number: int) -> Iterator[Any]:
    """Begin each round with another, so that none always follows the same load."""
    shift = number % max(1, len(turns))
    yield from turns[shift:]
    yield from turns[:shift]


def _compare(study: Study, results: list[PeerResult]) -> None:
    alike = {
        case.case.name: case.values
        for result in results
        if result.peer.name == study.alike
        for case in result.cases
        if case.values
    }
    for result in results:
        for case in result.cases:
            wanted = alike.get(case.case.name)
            if wanted and case.values and len(wanted) == len(case.values):
                case.cosine = cosine(wanted, case.values)
            case.values = None


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Give the cosine of the angle between two vectors."""
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other) or math.nan)
