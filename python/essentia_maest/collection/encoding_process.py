"""Tables made in a process of its own: while one is, Python's lock would be held here."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

from ..results.columns import Vectors
from ..results.parquet import Rows, encode_rows
from .worker_main import Begun, Clock, Ready
from .worker_processes import WorkerProcess

WORTH_BYTES = 16 << 20
"""What vectors take for which a process is started: smaller tables are made before it would be."""

_LIMIT_SECONDS = 600.0

_log = logging.getLogger(__name__)


class EncodingProcess:
    """Makes Parquet of rows: small tables here, others in a process, which is kept for the next.

    Used in one thread at a time. Whatever goes wrong with the process, tables are made here.

    Parameters
    ----------
    worth_bytes : int
        See `WORTH_BYTES`.
    """

    def __init__(self, worth_bytes: int = WORTH_BYTES) -> None:
        self._worth_bytes = worth_bytes
        self._process: WorkerProcess | None = None
        self._failed = False

    def encode(self, table: str, rows: Rows, vectors: Vectors) -> bytes:
        """Make a file of a table; see `encode_rows`."""
        size = sum(values.nbytes for values in rows.vectors.values())
        if size < self._worth_bytes or self._failed:
            return encode_rows(table, rows, vectors)
        try:
            content = self._ask(table, rows, vectors)
        except BaseException as error:
            self._failed = True
            self.close(kill=True)
            if not isinstance(error, Exception):
                raise
            _log.debug("tables are made in this process from now on: %r", error)
            content = None
        return encode_rows(table, rows, vectors) if content is None else content

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.end(kill=kill)

    def _ask(self, table: str, rows: Rows, vectors: Vectors) -> bytes:
        if self._process is None:
            self._process = WorkerProcess(_encode)
        self._process.ask((table, rows, vectors), _LIMIT_SECONDS)
        while isinstance(message := self._process.receive(), Ready | Begun):
            continue
        if not isinstance(message, bytes):
            raise TypeError(f"it gave {message!r}")
        return message


def _encode(asked: tuple[str, Rows, Vectors], connection: Connection, clock: Clock) -> bytes | str:
    try:
        return encode_rows(*asked)
    except Exception as error:  # whoever asked meets it again
        return repr(error)
