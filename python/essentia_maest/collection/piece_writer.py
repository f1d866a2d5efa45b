"""What runs in the process that decodes one long track."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from ..decoding.pieces import Outlet
from ..errors import MaestError
from .decode import stderr_away

PieceFunction = Callable[[str, Outlet], None]

Message = npt.NDArray[np.float32] | str | None
"""Samples, why decoding failed, or None at the end."""

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

    def end(self, reason: str | None) -> None:
        """Say that decoding is over, and why it failed if it did."""
        self.essentia_done()
        self._messages.send(reason)


def run(
    decode: PieceFunction, path: str, folder: str, samples: Connection, messages: Connection
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
    """
    # Whoever started us is gone once nobody reads: do not decode for nobody.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    tempfile.tempdir = folder
    outlet = PipeOutlet(samples, messages)
    reason = None
    with stderr_away():
        try:
            decode(os.fspath(path), outlet)
        except MaestError as error:
            reason = str(error)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
    outlet.end(reason)
