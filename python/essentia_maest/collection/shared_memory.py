"""Memory for samples that two processes map, so that none is copied on the way.

It has no name and lies in no folder: it goes with the last process that has it open.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_BYTES = np.dtype(np.float32).itemsize
# A worker whose decoder ran wild may write anything into it, but not take the memory itself away
# from under whoever reads.
_SEALS = ("F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_SEAL")


def make_memory(samples: int) -> int | None:
    """Make memory that other processes can map.

    Parameters
    ----------
    samples : int
        How many have room. Pages that nobody writes to take no memory.

    Returns
    -------
    int or None
        Its file descriptor; None where the system has no such memory.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("maest-samples", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    try:
        os.ftruncate(descriptor, samples * _BYTES)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, sum(getattr(fcntl, name) for name in _SEALS))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def map_memory(descriptor: int) -> Samples:
    """Map what `make_memory` made, here or in the process that this one descends from.

    Parameters
    ----------
    descriptor : int
        Its file descriptor.

    Returns
    -------
    numpy.ndarray
        float32, shape [samples]; mapped as long as it, or a part of it, is referred to.
    """
    return np.frombuffer(mmap.mmap(descriptor, 0), dtype=np.float32)


def ring_parts(ring: Samples, begin: int, end: int) -> Sequence[Samples]:
    """Give the parts of a ring that hold some samples of a signal.

    Parameters
    ----------
    ring : numpy.ndarray
        Shape [samples]; sample i of the signal lies at i modulo its length.
    begin, end : int
        Which samples; not more than the ring holds.

    Returns
    -------
    sequence of numpy.ndarray
        Up to two, in order, none empty; views.
    """
    first = begin % len(ring)
    count = end - begin
    parts = ring[first : first + count], ring[: max(0, first + count - len(ring))]
    return [part for part in parts if len(part)]
