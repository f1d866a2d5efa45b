"""What a part is given: its folder, its share of the time, and chance that can be had again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.torture.figures import Figures


@dataclass(frozen=True)
class Work:
    """What a part works with.

    Attributes
    ----------
    part : str
        Its name.
    seed : int
        Of the run.
    folder : Path
        Its own; what it makes there goes away in the end.
    shared : Path
        Kept from run to run: packages, models, builds.
    short : bool
        The form that is part of the tests.
    deadline : float
        By `time.monotonic`; what is begun is ended, nothing is begun later.
    only : sequence of int, optional
        Numbers of the tries that are wanted, to see one again; None is all.
    tell : callable
        Takes a line on how far the part is.
    """

    part: str
    seed: int
    folder: Path
    shared: Path
    short: bool = True
    deadline: float = float("inf")
    only: Sequence[int] | None = None
    tell: Callable[[str], object] = field(default=lambda line: None)

    def chance(self, number: int | str) -> random.Random:
        """Give a try's own random numbers, whatever the others took.

        Parameters
        ----------
        number : int or str
            Which try, or what else it is for.
        """
        return random.Random(f"{self.seed} {self.part} {number}")

    def tries(self, numbers: int | Sequence[int], figures: Figures) -> Iterator[int]:
        """Count tries until there are enough, or the time is over.

        Parameters
        ----------
        numbers : int or sequence of int
            How many there are to be, from 0; or which.
        figures : Figures
            Its `inputs` is counted up, and how far it is, is told.

        Yields
        ------
        int
            The number of the try.
        """
        wanted = range(numbers) if isinstance(numbers, int) else numbers
        if self.only is not None:
            wanted = self.only
        told = time.monotonic()
        for done, number in enumerate(wanted):
            now = time.monotonic()
            if now > self.deadline:
                self.tell(f"{self.part}: the time is over after {done} of {len(wanted)}")
                return
            if now - told > 30:
                told = now
                self.tell(f"{self.part}: {done} of {len(wanted)}, {figures.faults} faults")
            figures.inputs += 1
            yield number

    def amount(self, short: int, long: int) -> int:
        """Choose by the form.

        Parameters
        ----------
        short, long : int
            How many in each.
        """
        return short if self.short else long
