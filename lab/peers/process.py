"""A peer as a process that is asked over a pipe."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LAST_WORDS = 300
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


class PeerError(Exception):
    """A peer did not do what it was asked; the message says why."""


class PeerProcess:
    """A program of `lab.peers.programs` or a like one, running.

    Parameters
    ----------
    python : path
        The interpreter of the peer's environment.
    module : str
        The program.
    options : mapping
        What it is opened with; must fit JSON.
    cpus : sequence of int
        The CPUs that it may use, so that no library takes more threads than it is to have.
    timeout : float
        Seconds that an answer may take.

    Attributes
    ----------
    opened : dict
        Its first answer: ``seconds``, ``memory`` in bytes, ``versions``.
    started_seconds : float
        From the start of the process to that answer.

    Raises
    ------
    PeerError
        If it cannot be started or opened.
    """

    def __init__(
        self,
        python: Path,
        module: str,
        options: Mapping[str, Any],
        *,
        cpus: Sequence[int],
        timeout: float,
    ) -> None:
        self._module = module
        self._timeout = timeout
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        start = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                [os.fspath(python), "-m", module],
                cwd=ROOT,
                env=environment_variables(len(cpus)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                # Ctrl-C is the parent's: it ends its peers itself.
                start_new_session=True,
            )
        except OSError as error:
            self._words.close()
            raise PeerError(f"{python} cannot be run: {error.strerror}") from error
        self._unread = b""
        try:
            os.sched_setaffinity(self._process.pid, cpus)
            self.opened = self.ask(options)
            self.started_seconds = time.perf_counter() - start
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Parameters
        ----------
        message : mapping
            Must fit JSON.

        Returns
        -------
        dict

        Raises
        ------
        PeerError
            If the peer reports an error, ends, answers nonsense or takes too long; in the last
            three cases it is ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        line = self._line()
        try:
            answer = json.loads(line)
        except ValueError:
            self.close()
            raise PeerError(f"{self._module} answered {line[:80]!r}; wanted JSON") from None
        if "error" in answer:
            raise PeerError(answer["error"])
        return dict(answer)

    def close(self) -> None:
        """End it, and what it started."""
        if self._process.stdin and not self._process.stdin.closed:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._process.stdin.close()
                self._process.wait(1.0)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._words.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + self._timeout
        while b"\n" not in self._unread:
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([pipe], [], [], wait)[0]:
                self.close()
                raise PeerError(f"{self._module} gave no answer in {self._timeout:g} s")
            block = os.read(pipe, 1 << 16)
            if not block:
                raise self._died()
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _died(self) -> PeerError:
        try:
            code = self._process.wait(5.0)
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        except subprocess.TimeoutExpired:
            how = "it closed its pipe"
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip()
        self.close()
        last = " ".join(words.splitlines()[-3:])[-_LAST_WORDS:]
        return PeerError(f"{self._module} ended: {how}" + (f"; {last}" if last else ""))


def environment_variables(threads: int) -> dict[str, str]:
    """Give a child's environment: the repository in reach, and so many threads at the most."""
    paths = [ROOT, ROOT / "tests" / "python", os.environ.get("PYTHONPATH")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path),
        "PYTHONWARNINGS": "ignore",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_NUM_INTEROP_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
    }
