"""What runs in the process that decodes one long track."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ..decoding.pieces import Outlet
from ..errors import MaestError
from ..log import kept
from .worker_processes import stderr_away, use_scratch

PieceFunction = Callable[[str, Outlet], None]


@dataclass(frozen=True)
class Over:
    """The last message: decoding is over.

    Attributes
    ----------
    reason : str or None
        Why it failed, if it did.
    seconds : float
        CPU time that it took.
    log : list of logging.LogRecord
        What was logged meanwhile.
    """

    reason: str | None
    seconds: float = 0.0
    log: list[logging.LogRecord] = field(default_factory=list)


Message = npt.NDArray[np.float32] | Over

_PIPE_BYTES = 1 << 20


class PipeOutlet:
    """Two pipes to the process that takes the samples.

    Parameters
    ----------
    samples : Connection
        Bare float32 samples: what Essentia writes.
    messages : Connection
        `Message` after `Message`: read once `samples` is at its end.
    """

    def __init__(self, samples: Connection, messages: Connection) -> None:
        self._samples = samples
        self._messages = messages
        # Fewer turns between the processes; not every system allows it to everybody.
        with suppress(OSError, AttributeError):
            fcntl.fcntl(samples.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.essentia_file = f"/dev/fd/{samples.fileno()}"

    def essentia_done(self) -> None:
        """Close the pipe of bare samples."""
        if not self._samples.closed:
            self._samples.close()

    def send(self, samples: npt.NDArray[np.float32]) -> None:
        """Send samples as a message."""
        self._messages.send(samples)

    def end(self, over: Over) -> None:
        """Say that decoding is over, and how it went."""
        self.essentia_done()
        self._messages.send(over)


def run(
    decode: PieceFunction,
    path: str,
    folder: str,
    samples: Connection,
    messages: Connection,
    *,
    log_level: int,
) -> None:
    """Decode a track; the process ends with it.

    Parameters
    ----------
    decode : callable
        `essentia_maest.decoding.pieces.write_pieces`, or like it.
    path : str
        The track.
    folder : str
        For temporary files; the caller deletes it, also after a crash.
    samples, messages : Connection
        See `PipeOutlet`.
    log_level : int
        From which on what is logged is sent back.
    """
    # Whoever started us is gone once nobody reads: do not decode for nobody.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    use_scratch(folder)
    outlet = PipeOutlet(samples, messages)
    reason = None
    started = time.process_time()
    with stderr_away(), kept(log_level) as log:
        try:
            decode(os.fspath(path), outlet)
        except MaestError as error:
            reason = str(error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
    outlet.end(Over(reason, time.process_time() - started, log))
