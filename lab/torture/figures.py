"""What is counted, and what each count stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KEPT_NOTES = 40
"""Faults of a part that are told in words; all are counted."""


@dataclass
class Figures:
    """What a part of the torture found. All but `inputs` ought to be zero.

    Attributes
    ----------
    inputs : int
        Files, kills, lines, models: what was tried.
    crashes : int
        Processes that a signal ended which nobody sent, tracebacks, what sanitizers found.
    hangs : int
        What did not end in its time, and processes that were left behind.
    losses : int
        Results that ought to be there and are not, are not whole, or differ.
    scraps : int
        Files left behind beside results, in temporary folders, and in shared memory.
    let_in : int
        Code of a file that ran, files of others that were read, escapes that reached a terminal,
        results that a file had promised otherwise.
    untold : int
        Exit codes, messages and summaries that do not say what happened.
    notes : list of str
        The faults in words, each with the number of the try that found it.
    """

    inputs: int = 0
    crashes: int = 0
    hangs: int = 0
    losses: int = 0
    scraps: int = 0
    let_in: int = 0
    untold: int = 0
    notes: list[str] = field(default_factory=list)

    def fault(self, kind: str, note: str, count: int = 1) -> None:
        """Count a fault.

        Parameters
        ----------
        kind : str
            Name of one of the counts.
        note : str
            What happened to what.
        count : int
            How many there are of it.
        """
        setattr(self, kind, getattr(self, kind) + count)
        self.notes.append(f"{kind}: {note}")

    def add(self, other: Figures, where: str = "") -> None:
        """Add what was found elsewhere.

        Parameters
        ----------
        other : Figures
            Its counts and notes.
        where : str
            Put before its notes.
        """
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += [f"{where}{note}" for note in other.notes]

    @property
    def faults(self) -> int:
        """Everything that ought to be zero."""
        return sum(getattr(self, name) for name in FAULTS)

    def as_json(self) -> dict[str, Any]:
        """Give them as JSON has them; notes beyond `KEPT_NOTES` are left out, and that is said."""
        values = asdict(self)
        left_out = len(self.notes) - KEPT_NOTES
        if left_out > 0:
            values["notes"] = [*self.notes[:KEPT_NOTES], f"and {left_out} more"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Figures:
        """Take them from what `as_json` gave.

        Parameters
        ----------
        values : mapping
            It may hold more.

        Returns
        -------
        Figures
        """
        return cls(**{one.name: values[one.name] for one in fields(cls)})


COUNTS = tuple(one.name for one in fields(Figures) if one.name != "notes")
"""Names of the counts, in the order of the table."""

FAULTS = COUNTS[1:]
"""Those of them that ought to be zero."""
