"""The package's log: Python's `logging`, under the name ``essentia_maest``.

It is not configured here: Python prints warnings of a log that nobody configured on stderr, and
nothing else of it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence

from .progress import tell

LOGGER = logging.getLogger("essentia_maest")


@contextlib.contextmanager
def shown(*, everything: bool) -> Iterator[None]:
    """Print the log on stderr meanwhile: all of it, or its warnings.

    Parameters
    ----------
    everything : bool
        With times and names, rather than warnings in the words of a command.
    """
    handler = _Teller()
    words = "%(asctime)s %(name)s: %(message)s" if everything else "maest: warning: %(message)s"
    handler.setFormatter(logging.Formatter(words))
    with _handled(handler, logging.DEBUG if everything else logging.WARNING):
        yield


@contextlib.contextmanager
def kept(level: int) -> Iterator[list[logging.LogRecord]]:
    """Keep what is logged meanwhile, as records that can be sent to another process.

    Parameters
    ----------
    level : int
        From which on.

    Yields
    ------
    list of logging.LogRecord
        Grows as they come.
    """
    handler = _Keeper()
    with _handled(handler, level):
        yield handler.records


def tell_again(records: Sequence[logging.LogRecord]) -> None:
    """Log what another process kept.

    Parameters
    ----------
    records : sequence of logging.LogRecord
        As `kept` gave them there.
    """
    for record in records:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


@contextlib.contextmanager
def _handled(handler: logging.Handler, level: int) -> Iterator[None]:
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(level)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
        LOGGER.removeHandler(handler)


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(self.format(record))


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        # In words: arguments and tracebacks may be anything, and not everything can be sent.
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self.records.append(record)
