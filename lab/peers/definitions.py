"""The terms of the benchmark: studies of peers that do the same cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.peers.environments import HERE


@dataclass(frozen=True)
class Case:
    """One piece of work of one peer.

    Attributes
    ----------
    name : str
        Peers that do the same work have cases of the same name.
    request : mapping
        What the peer's program is asked.
    minutes : float
        Audio that is dealt with; 0 where there is none.
    tokens : int, optional
        That the model computes in each block.
    operations : float, optional
        Multiplications and additions of matrices, counted apart.
    shape : tuple of int, optional
        Of the result; another is an error.
    """

    name: str
    request: Mapping[str, Any] = field(default_factory=dict)
    minutes: float = 0.5
    tokens: int | None = None
    operations: float | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Peer:
    """A program in an environment, with the options it is opened with.

    Attributes
    ----------
    name : str
        As in tables.
    program : str
        Module of `lab.peers.programs`.
    cases : tuple of Case
    options : mapping
        ``{}`` in a text stands for the folder of the material.
    environment : str
        See `environments.python_of`.
    material : tuple of str
        Items that it needs, see `materials`.
    threads : int, optional
        CPUs that it may use, where that is not the study's.
    """

    name: str
    program: str
    cases: tuple[Case, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: str = HERE
    material: tuple[str, ...] = ()
    threads: int | None = None


@dataclass(frozen=True)
class Mark:
    """A ratio that is to be reached.

    Attributes
    ----------
    what : str
    one, other : tuple of str
        Peer and case. The ratio is how much faster `one` is than `other`: rates of operations
        where `by_operations`, else of audio.
    wanted : float
    by_operations : bool
    after : tuple of str, optional
        Peer and case that `other` waits for: their times add up.
    instead : tuple of str, optional
        Peer and case that take the place of `other` where their median is faster.
    """

    what: str
    one: tuple[str, str]
    other: tuple[str, str]
    wanted: float
    by_operations: bool = False
    after: tuple[str, str] | None = None
    instead: tuple[str, str] | None = None


@dataclass(frozen=True)
class Study:
    """Peers that take turns.

    Attributes
    ----------
    name, title : str
    peers : tuple of Peer
    threads : int
        CPUs that each may use.
    reference : tuple of str
        Peer and case that all are compared with.
    marks : tuple of Mark
    alike : str, optional
        Peer whose results those of the others, case by case, ought to equal.
    fresh : bool
        Each turn in a new process: what a first result costs.
    most_rounds : int, optional
        For studies that take long.
    once_beyond : float, optional
        Seconds; cases that take longer the first time are not asked again.
    """

    name: str
    title: str
    peers: tuple[Peer, ...]
    threads: int
    reference: tuple[str, str]
    marks: tuple[Mark, ...] = ()
    alike: str | None = None
    fresh: bool = False
    most_rounds: int | None = None
    once_beyond: float | None = None
