"""Memory of a process and of all that it started."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EVERY_SECONDS = 0.1


class Watch:
    """Looks at this process and its descendants from time to time.

    Memory is the proportional set size: what processes share counts once.

    Attributes
    ----------
    before, most : int
        Bytes at the start, and the most that were seen.
    """

    def __init__(self) -> None:
        self.before = self.most = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self.before = self.most = tree_memory(os.getpid())
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(_EVERY_SECONDS):
            self.most = max(self.most, tree_memory(os.getpid()))


class FirstTimes:
    """Watches each kind of work the first time that it is done.

    A look takes some 20 ms of a CPU, so that what is timed cannot be looked at: first times are
    not counted.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[str, int]] = {}

    @contextmanager
    def of(self, kind: str) -> Iterator[None]:
        """Watch what is done in the block, unless work of its kind was."""
        if kind in self._found:
            yield
            return
        with Watch() as watch:
            yield
        self._found[kind] = {"memory_tree": watch.most, "memory_before": watch.before}

    def __getitem__(self, kind: str) -> dict[str, int]:
        """Give the bytes that were found of a kind."""
        return dict(self._found[kind])


def tree_memory(root: int) -> int:
    """Sum the memory of a process and its descendants, in bytes; those that end count nothing."""
    total = 0
    waiting = [root]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            for line in (folder / "smaps_rollup").read_text(encoding="ascii").splitlines():
                if line.startswith("Pss:"):
                    total += 1024 * int(line.split()[1])
            for children in folder.glob("task/*/children"):
                waiting += [int(child) for child in children.read_text().split()]
        except OSError:
            continue
    return total
