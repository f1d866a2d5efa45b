"""Worker processes: how they start, how long they may, how they end.

They are started as programs of their own, not by `multiprocessing`: nothing of the caller's main
module runs again in them, whether or not it asks for its name.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import spawn
from typing import Any

from .worker_main import Answer

# Nothing is imported but what is built in until the path is right: the working directory, which
# Python puts first for such a program, may hold anything.
_PROGRAM = (
    "import sys\n"
    "sys.path[:] = {path}\n"
    "from essentia_maest.collection.worker_main import serve\n"
    "serve({descriptor})\n"
)
_EXIT_SECONDS = 10.0


def time_limit(path: str) -> float:
    """Return the seconds that decoding a file may take before it counts as hung.

    Parameters
    ----------
    path : str
        The file; its size decides.

    Returns
    -------
    float
        Two minutes, and ten seconds more for every megabyte: some ten times what a slow and busy
        machine needs.
    """
    try:
        size = os.stat(path).st_size
    except OSError:
        size = 0
    return 120.0 + 10.0 * size / 1e6


class WorkerProcess:
    """A process that answers questions, one after the other, as `worker_main.serve` does.

    Parameters
    ----------
    answer : callable
        See `worker_main.Answer`; something that a fresh process can import.
    memory : sequence of int
        Descriptors that it has, too.

    Attributes
    ----------
    connection : multiprocessing.connection.Connection
        To the process.
    tasks : int
        How many it was given.

    Raises
    ------
    OSError
        No process can be started.
    """

    def __init__(self, answer: Answer, memory: Sequence[int] = ()) -> None:
        self.tasks = 0
        self._ends: float | None = None
        self.connection, theirs = multiprocessing.Pipe()
        path = ascii([os.path.abspath(folder) for folder in sys.path])
        program = _PROGRAM.format(path=path, descriptor=theirs.fileno())
        try:
            with _interrupts_held():
                self._process = subprocess.Popen(
                    [_python(), "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *memory),
                )
        except BaseException:
            self.connection.close()
            raise
        finally:
            theirs.close()  # the process alone holds it now: when it ends, so does the connection
        self.send(answer)

    def send(self, message: object) -> None:
        """Send a message; nothing happens if the process has ended, which is noticed elsewhere."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def receive(self) -> Any:
        """Take a message.

        Raises
        ------
        EOFError
            The process has ended.
        """
        try:
            return self.connection.recv()
        except OSError as error:
            raise EOFError from error

    def ask(self, question: object, limit: float, *, watched: bool = True) -> None:
        """Give it something to do, and so many seconds for it.

        Parameters
        ----------
        question
            What its `Answer` is called with.
        limit : float
            Seconds.
        watched : bool
            Whether it tells that it has begun, and its time is taken here, too.
        """
        self.tasks += 1
        if watched:
            self.resume_clock(limit)
        self.send((question, limit, watched))

    def stop_clock(self) -> float:
        """Let its time stand still; return the seconds that are left."""
        left = 0.0 if self._ends is None else self._ends - time.monotonic()
        self._ends = None
        return left

    def resume_clock(self, left: float) -> None:
        """Let its time run again."""
        self._ends = time.monotonic() + left

    @property
    def ends(self) -> float:
        """When its time is over, in `time.monotonic`'s seconds; infinite if that stands still."""
        return float("inf") if self._ends is None else self._ends

    def end(self, *, kill: bool = False) -> str:
        """End the process: let it end, or, if it does not, kill it.

        Parameters
        ----------
        kill : bool
            Do not wait.

        Returns
        -------
        str
            How it ended: a signal's name, or its exit status.
        """
        self.connection.close()
        try:
            code = self._process.wait(0 if kill else _EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return exit_status(code)


def _python() -> str:
    """Give the interpreter to start; programs that embed Python tell it `multiprocessing`."""
    executable = spawn.get_executable()
    return os.fsdecode(executable or sys.executable)


def exit_status(code: int) -> str:
    """Name the signal that ended a process, or its exit status."""
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}"


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold SIGINT back from the processes that are started meanwhile.

    Ctrl-C goes to the whole process group; the workers are to be ended by us, not by tracebacks.
    """
    found = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, found)
