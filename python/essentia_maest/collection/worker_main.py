"""What runs in a worker process: it does what it is asked for, one thing after the other.

A worker imports nothing of the program that started it, and ends when that does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

# Seconds beyond its limit after which a worker ends by itself: whoever started it has not done so,
# and may be gone.
_GRACE_SECONDS = 60.0
# A timer of zero would never end.
_LEAST_SECONDS = 1e-3


@dataclass(frozen=True)
class Ready:
    """The first answer: a worker has started."""


@dataclass(frozen=True)
class Begun:
    """A worker has taken what it was asked; if it dies now, that may be why."""


class Clock:
    """Ends this process, by SIGALRM, if it works on one thing for too long.

    Parameters
    ----------
    seconds : float
        That may go by, but for the time in which it stands still.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds + _GRACE_SECONDS
        self._runs = False
        self.start()

    def start(self) -> None:
        """Let time run."""
        self._runs = True
        signal.setitimer(signal.ITIMER_REAL, max(self._left, _LEAST_SECONDS))

    def stop(self) -> None:
        """Let time stand still."""
        if self._runs:
            self._left = signal.setitimer(signal.ITIMER_REAL, 0)[0]
            self._runs = False

    def alone(self) -> None:
        """Learn that nobody else looks at the time: no more of it goes by than was said."""
        self.stop()
        self._left -= _GRACE_SECONDS
        self.start()


Answer = Callable[[Any, Connection, Clock], Any]
"""What is asked, the connection to whoever asks, the clock -> the last message in return."""


def serve(descriptor: int) -> None:
    """Do what is asked, until nobody asks any more.

    First an `Answer` comes, then questions: what it is called with, seconds that it may take, and
    whether somebody watches. Each is answered by `Begun`, if somebody does, what the answer sends
    by itself, and what it returns.

    Parameters
    ----------
    descriptor : int
        Of the connection to whoever asks.
    """
    connection = Connection(descriptor)
    try:
        answer: Answer = connection.recv()
        _send_stderr_away()
        connection.send(Ready())
        while True:
            asked, limit, watched = connection.recv()
            if watched:
                connection.send(Begun())
            clock = Clock(limit)
            message = answer(asked, connection, clock)
            clock.stop()
            connection.send(message)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # whoever asked is gone


def _send_stderr_away() -> None:
    """Until now it told why a worker does not start; libraries write there of damaged frames."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
