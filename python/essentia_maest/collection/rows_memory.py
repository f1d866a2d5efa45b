"""Memory in which processes leave rows for the one that makes tables: nobody between copies them.

It is written and read as a file is, not mapped: a decoder that runs wild cannot reach it. It has
no name, and goes with the last process that has it open.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

SLOT_BYTES = 4 << 20
"""Room for the rows of a track; those that need more are sent. What nobody writes takes none."""

WORTH_BYTES = 16 << 10
"""Rows that are smaller are sent."""


@dataclass(frozen=True)
class Stored:
    """Where rows are.

    Attributes
    ----------
    slot : int
        Which.
    size : int
        Bytes.
    """

    slot: int
    size: int


class RowsMemory:
    """Slots, taken by one thread, and given back by any.

    Parameters
    ----------
    wanted : bool
        False where nothing will be left in it: there is no memory then.

    Attributes
    ----------
    descriptor : int or None
        What other processes open it by; None where there is no memory, as on systems without such.
    """

    def __init__(self, wanted: bool = True) -> None:
        self.descriptor = make_unnamed("maest-rows") if wanted else None
        self._free: list[int] = []
        self._slots = 0

    def take(self) -> int | None:
        """Give a slot that is free; None where there is no memory."""
        if self.descriptor is None:
            return None
        if self._free:
            return self._free.pop()  # the last one given back: its pages are there
        self._slots += 1
        return self._slots - 1

    def give_back(self, slot: int | None) -> None:
        """Let others have a slot."""
        if slot is not None:
            self._free.append(slot)

    def __del__(self) -> None:
        """Let go of the memory, if nobody did."""
        self.close()

    def close(self) -> None:
        """Let go of the memory."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def make_unnamed(name: str) -> int | None:
    """Make a file without a name, in memory.

    Parameters
    ----------
    name : str
        For whoever looks at what a process has open.

    Returns
    -------
    int or None
        Its descriptor; None where the system has no such thing.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        return os.memfd_create(name, os.MFD_CLOEXEC)
    except OSError:
        return None


def store(descriptor: int, slot: int, content: bytes) -> Stored:
    """Put rows into a slot, which has room for them.

    Raises
    ------
    OSError
        There is no memory left.
    """
    write_at(descriptor, slot * SLOT_BYTES, content)
    return Stored(slot, len(content))


def fetch(descriptor: int | None, content: bytes | Stored) -> bytes:
    """Give rows, wherever they are.

    Raises
    ------
    EOFError
        They are not there.
    """
    if isinstance(content, bytes):
        return content
    if descriptor is None:
        raise EOFError("rows are in memory that is closed")
    found = os.pread(descriptor, content.size, content.slot * SLOT_BYTES)
    if len(found) != content.size:
        raise EOFError(f"{len(found)} of {content.size} bytes of rows found")
    return found


def write_at(descriptor: int, place: int, content: bytes) -> None:
    """Write all of something to a place in a file."""
    left = memoryview(content)
    while left:
        written = os.pwrite(descriptor, left, place)
        place += written
        left = left[written:]
