"""Processes of the product, run so that whatever becomes of them is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAEST = (sys.executable, "-m", "essentia_maest")
"""The command, of the package that is installed here."""

LAST_WORDS = 400
_SANITIZERS = ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer")
_LEAVE_SECONDS = 15.0


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code : int or None
        Its exit code, negative for a signal; None if it had to be ended.
    words : str
        What it said on stderr.
    left : tuple of int
        Processes of its session that were there some seconds later; they were ended.
    seconds : float
        How long it took.
    """

    code: int | None
    words: str
    left: tuple[int, ...]
    seconds: float

    @property
    def hung(self) -> bool:
        """Whether it had to be ended."""
        return self.code is None

    @property
    def traceback(self) -> bool:
        """Whether Python, or a sanitizer, told of a fault inside."""
        return "Traceback (most recent" in self.words or any(
            sign in self.words for sign in _SANITIZERS
        )

    @property
    def before_the_product(self) -> bool:
        """Whether Ctrl-C came while Python itself started, which tells of it by a traceback.

        The first thing of ours that is imported has it end the process; to find that is Python's.
        """
        ours = [line for line in self.words.splitlines() if "essentia_maest" in line]
        found = all("__init__.py" in line for line in ours) and "import starting" in self.words
        return "KeyboardInterrupt" in self.words and (not ours or found)

    @property
    def last_words(self) -> str:
        """The end of what it said, in one line."""
        return " ".join(self.words.split())[-LAST_WORDS:]


class Child:
    """A command in a session of its own, so that all its processes can be found.

    Parameters
    ----------
    command : sequence of str or bytes
        What to run.
    folder : path
        Its working directory.
    variables : mapping, optional
        Set besides those of this process.
    words : bool
        Take stderr; otherwise it goes where the command sends it.
    """

    def __init__(
        self,
        command: Sequence[str | bytes | os.PathLike[str]],
        folder: Path,
        variables: Mapping[str, str] | None = None,
        *,
        words: bool = True,
    ) -> None:
        self.started = time.monotonic()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed by ended)
        self.process = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._words if words else subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process, which is also the number of its session and group."""
        return self.process.pid

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def send(self, number: int, *, group: bool = False) -> None:
        """Send a signal to it, or to all its processes.

        Parameters
        ----------
        number : int
            The signal.
        group : bool
            To all of its process group.
        """
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def ended(self, timeout: float) -> Ended:
        """Wait for its end.

        Parameters
        ----------
        timeout : float
            Seconds from now after which it counts as hung; those in which other programs kept it
            from running do not count.

        Returns
        -------
        Ended
        """
        end, starved = time.monotonic() + timeout, Starved(self.pid)
        code: int | None = None
        while code is None and (
            time.monotonic() < end or time.monotonic() < end + starved.seconds()
        ):
            with suppress(subprocess.TimeoutExpired):
                code = self.process.wait(min(1.0, timeout))
        seconds = time.monotonic() - self.started
        left = self._left_behind(0.0 if code is None else _LEAVE_SECONDS)
        for pid in [*left, *([self.pid] if code is None else [])]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._words.seek(0)
        words = self._words.read().decode(errors="replace")
        self._words.close()
        return Ended(code, words, () if code is None else left, seconds)

    def _left_behind(self, patience: float) -> tuple[int, ...]:
        end = time.monotonic() + patience
        while True:
            left = tuple(pid for pid in processes_of(self.pid) if pid != self.pid)
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)


class Starved:
    """How long processes wanted to run while others ran, from now on.

    Parameters
    ----------
    session : int
        Number of the session that they are in.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._before = self._waited()
        self._most = 0.0

    def seconds(self) -> float:
        """Give the longest wait of any thread that was seen."""
        for thread, waited in self._waited().items():
            self._most = max(self._most, waited - self._before.get(thread, 0.0))
        return self._most

    def _waited(self) -> dict[str, float]:
        waited = {}
        for pid in processes_of(self._session):
            with suppress(OSError, ValueError, IndexError):
                for thread in Path("/proc", str(pid), "task").iterdir():
                    # nanoseconds on a CPU, and in a queue for one
                    waited[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        return waited


def run(
    command: Sequence[str | bytes | os.PathLike[str]],
    folder: Path,
    timeout: float,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end.

    Parameters
    ----------
    command, folder, variables
        See `Child`.
    timeout : float
        Seconds after which it counts as hung.

    Returns
    -------
    Ended
    """
    return Child(command, folder, variables).ended(timeout)


def processes_of(session: int) -> list[int]:
    """List the living processes of a session.

    Parameters
    ----------
    session : int
        Its number, which is that of the process that began it.
    """
    return [pid for pid, status in _statuses() if status[3] == session and status[0] not in "ZX"]


def workers_of(session: int, leader: int) -> list[tuple[int, bool]]:
    """List the processes that decode, each with whether it is busy just now.

    Parameters
    ----------
    session : int
        Of the run.
    leader : int
        The process that they work for, which is none of them.
    """
    return [
        (pid, status[0] == "R")
        for pid, status in _statuses()
        if status[3] == session and pid != leader and b"spawn_main" in _command(pid)
    ]


def _statuses() -> list[tuple[int, tuple[str, int, int, int]]]:
    """Give state, parent, group and session of every process."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with suppress(OSError, ValueError):
                text = Path("/proc", entry, "stat").read_text(errors="replace")
                state, *numbers = text.rpartition(")")[2].split()[:4]
                parent, group, session = map(int, numbers)
                found.append((int(entry), (state, parent, group, session)))
    return found


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path("/proc", str(pid), "cmdline").read_bytes()
    return b""
