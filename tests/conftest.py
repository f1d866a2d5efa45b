"""What all tests need of their process, and what they may not leave in it."""

from __future__ import annotations

import multiprocessing
import signal

import pytest

# A shell starts background jobs with SIGINT ignored, and what they start inherits it: Ctrl-C, which
# some tests send, would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)


class _LeftBehind:
    """Processes that workers of pytest-xdist found left: whatever they say, they end with 0."""

    def __init__(self) -> None:
        self.names: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        self.names += getattr(node, "workeroutput", {}).get("left behind", [])


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_LeftBehind(), "left behind")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail when a process is left behind: Python would wait for it, perhaps for ever."""
    left = multiprocessing.active_children()
    for process in left:
        process.kill()
    names = [process.name for process in left]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left behind"] = names
        return
    names += session.config.pluginmanager.get_plugin("left behind").names
    if names:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"\nprocesses left behind: {', '.join(names)}")
