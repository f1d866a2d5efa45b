"""Worker processes that end with the process that made them, however that one ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess


def end_with_parent() -> None:
    """Let this process end when its parent is gone: for the initialiser of a pool's workers.

    Those of `concurrent.futures` wait for work for ever where the parent was killed: each of them
    holds the end of the queue that the parent would have closed.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
