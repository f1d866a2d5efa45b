"""The parts of the torture, in the order in which they are done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lab.torture.figures import Figures
from lab.torture.work import Work


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes
    ----------
    name : str
        What it is asked for by.
    module, function : str
        Where it is done.
    title : str
        What is tried, for the table.
    share : float
        Of the time, beside those of the others.
    short : bool
        Whether it belongs to the short form.
    """

    name: str
    module: str
    function: str
    title: str
    share: float
    short: bool = True

    def do(self, work: Work) -> Figures:
        """Do it.

        Parameters
        ----------
        work : Work
            What to work with.

        Returns
        -------
        Figures
        """
        function: Callable[[Work], Figures] = getattr(import_module(self.module), self.function)
        return function(work)


PARTS = (
    Part("odd", "lab.torture.odd", "odd_files", "files of an odd folder, odd names", 3),
    Part("kills", "lab.torture.kills", "kills", "runs with killed processes, resumed", 5),
    Part("disks", "lab.torture.disks", "disks", "runs on disks that are full or vanish", 3),
    Part(
        "surroundings", "lab.torture.surroundings", "surroundings",
        "runs where logs, folders or rights are missing", 1,
    ),
    Part("together", "lab.torture.two_runs", "two_runs", "runs into one folder at once", 2),
    Part("models", "lab.torture.models", "models", "changed model files", 6),
    Part(
        "checkpoints", "lab.torture.checkpoints", "checkpoints",
        "hostile checkpoints and folders", 4,
    ),
    Part(
        "sanitizers", "lab.torture.sanitizers", "sanitizers",
        "models and files under ASan and UBSan", 4, short=False,
    ),
    Part("fuzzers", "lab.torture.fuzzers", "fuzzers", "inputs of fuzzers", 4, short=False),
    Part(
        "audio", "lab.torture.damaged_audio", "damaged_audio",
        "damaged audio files, in every format", 3, short=False,
    ),
)  # fmt: skip
