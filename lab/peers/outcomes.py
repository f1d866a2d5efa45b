"""What became of peers and their cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab.peers.definitions import Case, Peer


@dataclass
class CaseResult:
    """What a case took.

    Attributes
    ----------
    case : Case
    first : float, optional
        Seconds of the first time, which does not count.
    seconds : list of float or None
        One a round; None where the peer had failed.
    cosine : float, optional
        Between its result and that of the peer it ought to equal.
    more : dict
        What else the program told the last time; of fresh peers, the seconds of each part.
    values : list of float, optional
        The result, until it is compared.
    """

    case: Case
    first: float | None = None
    seconds: list[float | None] = field(default_factory=list)
    cosine: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    values: list[float] | None = None


@dataclass
class PeerResult:
    """What became of a peer.

    Attributes
    ----------
    peer : Peer
    cases : list of CaseResult
    load_seconds : float, optional
        Imports and opening.
    memory_opened, memory : int, optional
        Most bytes resident: once opened, and in the end.
    versions : dict
    reason : str, optional
        Why it failed.
    """

    peer: Peer
    cases: list[CaseResult]
    load_seconds: float | None = None
    memory_opened: int | None = None
    memory: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
