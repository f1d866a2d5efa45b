"""What all tests need of their process, and what they may not leave in it."""

from __future__ import annotations

import multiprocessing
import signal

import pytest

# A shell starts background jobs with SIGINT ignored, and what they start inherits it: Ctrl-C, which
# some tests send, would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when a process is left behind: Python would wait for it, perhaps for ever."""
    left = multiprocessing.active_children()
    for process in left:
        process.kill()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nprocesses left behind: {', '.join(process.name for process in left)}")
