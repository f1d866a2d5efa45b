"""Tables made in a process of its own: while one is, Python's lock would be held here."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import mmap
import os
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection

from ..results.columns import Vectors
from ..results.parquet import Rows, encode_rows
from ..results.places import Content
from .part_making import PartToMake
from .rows_memory import RowsMemory, Stored, make_unnamed, write_at
from .worker_main import Begun, Clock, Ready
from .worker_processes import WorkerProcess

WORTH_BYTES = 16 << 20
"""What vectors take for which a process is started: smaller tables are made before it would be."""

_LIMIT_SECONDS = 600.0

_log = logging.getLogger(__name__)

Make = Callable[[Sequence["bytes | Stored"]], list[bytes]]
"""What is made of packed rows: files."""


class EncodingProcess:
    """Makes Parquet of rows: small tables here, others in a process, which is kept for the next.

    Used in one thread at a time. Whatever goes wrong with the process, tables are made here.

    Parameters
    ----------
    worth_bytes : int
        See `WORTH_BYTES`.
    memory : RowsMemory, optional
        In which packed rows are.
    """

    def __init__(self, worth_bytes: int = WORTH_BYTES, memory: RowsMemory | None = None) -> None:
        self._worth_bytes = worth_bytes
        self._memory = memory
        self._process: WorkerProcess | None = None
        self._files: int | None = None
        self._failed = False

    def encode(self, table: str, rows: Rows, vectors: Vectors) -> Content:
        """Make a file of a table; see `encode_rows`. It is there until the next one is made."""
        size = sum(values.nbytes for values in rows.vectors.values())
        return self._made(_Table(table, rows, vectors), (), size)[0]

    def encode_part(
        self, part: PartToMake, packed: Sequence[bytes | Stored], size: int
    ) -> tuple[Content, Content]:
        """Make the files of a part.

        Parameters
        ----------
        part : PartToMake
            What it holds besides rows.
        packed : sequence of bytes or Stored
            Of each track, what `PackedRows` holds.
        size : int
            What the vectors take in memory.

        Returns
        -------
        tuple of bytes or memoryview
            The file of tracks, and that of segments. They are there until others are made.
        """
        tracks, segments = self._made(part, packed, size)
        return tracks, segments

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.end(kill=kill)
        files, self._files = self._files, None
        if files is not None:
            os.close(files)

    def _made(self, make: Make, packed: Sequence[bytes | Stored], size: int) -> Sequence[Content]:
        if self._failed or (self._process is None and size < self._worth_bytes):
            return make(packed)
        try:
            return self._ask(make, packed)
        except BaseException as error:
            self._failed = True
            self.close(kill=True)
            if not isinstance(error, Exception):
                raise
            _log.debug("tables are made in this process from now on: %r", error)
        return make(packed)

    def _ask(self, make: Make, packed: Sequence[bytes | Stored]) -> Sequence[Content]:
        if self._process is None:
            self._files = make_unnamed("maest-files")
            rows = None if self._memory is None else self._memory.descriptor
            passed = [descriptor for descriptor in (self._files, rows) if descriptor is not None]
            self._process = WorkerProcess(partial(_answer, self._files), passed)
        process = self._process
        process.ask(
            (make, [one if isinstance(one, Stored) else None for one in packed]), _LIMIT_SECONDS
        )
        for content in packed:  # one by one, so that no copy of all is made
            if not isinstance(content, Stored):
                process.connection.send_bytes(content)
        while isinstance(message := process.receive(), Ready | Begun):
            continue
        if not isinstance(message, _Made):
            raise TypeError(f"it gave {message!r}")
        made = self._files_of(message.sizes, process)
        process.receive()  # that it is done
        return made

    def _files_of(self, sizes: Sequence[int], process: WorkerProcess) -> Sequence[Content]:
        if self._files is None:
            return [process.connection.recv_bytes() for _ in sizes]
        every = memoryview(mmap.mmap(self._files, sum(sizes), prot=mmap.PROT_READ))
        ends = list(itertools.accumulate(sizes))
        return [every[end - size : end] for size, end in zip(sizes, ends, strict=True)]


@dataclasses.dataclass(frozen=True)
class _Table:
    """Makes a file of rows that are not packed."""

    table: str
    rows: Rows
    vectors: Vectors

    def __call__(self, packed: Sequence[bytes | Stored]) -> list[bytes]:
        return [encode_rows(self.table, self.rows, self.vectors)]


@dataclasses.dataclass(frozen=True)
class _Made:
    """Files of such sizes are in the memory for them, or come next."""

    sizes: Sequence[int]


def _answer(
    files: int | None,
    asked: tuple[Make, list[Stored | None]],
    connection: Connection,
    clock: Clock,
) -> str | None:
    make, stored = asked
    packed = [connection.recv_bytes() if one is None else one for one in stored]
    try:
        made = make(packed)
        if files is not None:
            place = 0
            for content in made:
                write_at(files, place, content)
                place += len(content)
    except Exception as error:  # whoever asked meets it again
        return repr(error)
    connection.send(_Made([len(content) for content in made]))
    if files is None:
        for content in made:
            connection.send_bytes(content)
    return None
