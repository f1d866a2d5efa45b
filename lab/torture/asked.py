"""A process that is asked over a pipe, and may die of any question."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.torture.child import LAST_WORDS, Starved

ROOT = Path(__file__).resolve().parents[2]
_INTERRUPT_SECONDS = 20.0


class DiedError(Exception):
    """The process ended while it was asked; the message tells how."""


class HungError(Exception):
    """It gave no answer, also not after Ctrl-C."""


class Asked:
    """The process.

    Parameters
    ----------
    module : str
        What it runs; it says that it is ready, then answers each line with one.
    arguments : sequence of str
        Its own.
    variables : mapping, optional
        Set besides those of this process.
    start_seconds : float
        How long it may take to be ready.

    Raises
    ------
    DiedError, HungError
        It cannot be started.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        *,
        start_seconds: float = 300.0,
    ) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        more = dict(variables or {})
        paths.insert(0, more.pop("PYTHONPATH", ""))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            start_new_session=True,
        )
        self._unread = b""
        self._answer(start_seconds)

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, question: Any, seconds: float) -> dict[str, Any]:
        """Ask, and interrupt it with Ctrl-C when it takes long.

        Parameters
        ----------
        question
            Must fit JSON.
        seconds : float
            How long it may take.

        Returns
        -------
        dict

        Raises
        ------
        DiedError, HungError
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer(seconds)
        except BrokenPipeError:
            raise self._died() from None
        except TimeoutError:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._answer(_INTERRUPT_SECONDS)
        except TimeoutError:
            self.close()
            raise HungError(f"not ended by Ctrl-C after {seconds:.0f} s") from None

    def close(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                with open(os.devnull, "wb"):
                    try:
                        pipe.close()
                    except BrokenPipeError:
                        continue
        self._words.close()

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        end, starved = time.monotonic() + seconds, Starved(self._process.pid)
        while b"\n" not in self._unread:
            left = end - time.monotonic()
            if left <= 0:  # what others took of the machine does not count
                left += starved.seconds()
            if left <= 0:
                raise TimeoutError
            if not select.select([pipe], [], [], left)[0]:
                continue
            block = os.read(pipe, 1 << 16)
            if not block:
                raise self._died()
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return dict(json.loads(line))

    def _died(self) -> DiedError:
        code = self._process.wait(60)
        self._words.seek(0)
        words = self._words.read().decode(errors="replace")
        self.close()
        sanitizer = words.find("ERROR: ")
        told = words[sanitizer : sanitizer + LAST_WORDS] if sanitizer >= 0 else words[-LAST_WORDS:]
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return DiedError(f"{how}; {' '.join(told.split())}")
