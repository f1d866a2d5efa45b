"""Essentia's own algorithms, one by one.

Importing ``essentia.standard`` or ``essentia.streaming`` makes every algorithm there is, for a
second and 300 MB: a decoding process would pay that for two of them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

# Essentia's log switches belong to the process: one thread at a time may borrow them.
_lock = threading.RLock()


@contextlib.contextmanager
def quiet_essentia() -> Iterator[Any]:
    """Give Essentia's compiled module, imported if need be, with its log lines held back meanwhile.

    The switches of Essentia's log are put back as they were found, also after an exception.
    Only one thread is inside at a time.

    Yields
    ------
    module
        ``essentia._essentia``: its ``Algorithm(name)`` and ``StreamingAlgorithm(name)`` are
        configured with ``__configure__``, floats for reals; the former computes with
        ``__compute__``.

    Raises
    ------
    ImportError
        Essentia is not installed.
    """
    import essentia
    from essentia import _essentia

    log = essentia.log
    with _lock:
        found = (log.infoActive, log.warningActive)
        log.infoActive = log.warningActive = False
        try:
            yield _essentia
        finally:
            log.infoActive, log.warningActive = found
