"""A Ray cluster: joined, and left."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from ..errors import InvalidArgumentError, StoppedEarlyError
from .worker import TrackWorker

_STARTS = 3


def require_ray() -> None:
    """Refuse what wants Ray where it is not installed.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        It is not.
    """
    if find_spec("ray") is None:
        raise InvalidArgumentError(
            "engine ray: Ray is not installed; wanted: pip install 'essentia-maest[ray]'"
        )


@contextlib.contextmanager
def joined(address: str | None) -> Iterator[ModuleType]:
    """Join a cluster meanwhile.

    Parameters
    ----------
    address : str or None
        As `ray.init` takes it; None is ``RAY_ADDRESS``, a cluster that runs on this machine, or one
        of this machine alone, started for the purpose.

    Yields
    ------
    module
        Ray.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing answers there.
    """
    # One's own records of use are nobody else's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _signals_as_they_are():
        import ray
    if ray.is_initialized():  # by whoever calls
        yield ray
        return
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with _signals_as_they_are():
            _init(ray, address)
    except Exception as error:
        where = address or os.environ.get("RAY_ADDRESS") or "this machine"
        raise InvalidArgumentError(
            f"engine ray: no cluster at {where}: {_first_line(error)}; wanted: the address of one "
            "that runs the same Ray and Python (`ray start --head` tells it)"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
        logger.setLevel(level)


@contextlib.contextmanager
def _signals_as_they_are() -> Iterator[None]:
    """Keep what SIGINT and SIGTERM do: Ray takes SIGTERM when it is imported, and again later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _init(ray: ModuleType, address: str | None) -> None:
    """Join, or start, a cluster; a busy machine may miss the 30 seconds it has for that."""
    for left in reversed(range(_STARTS)):
        try:
            ray.init(
                address=address,
                configure_logging=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
            return
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


def cpus_of(ray: ModuleType) -> int:
    """Tell how many CPUs the cluster has now."""
    return int(ray.cluster_resources().get("CPU", 0))


def living_nodes(ray: ModuleType) -> set[str]:
    """Tell which machines are there now, by their ids."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def start_worker(ray: ModuleType) -> Any:
    """Start a `TrackWorker` on a CPU of the cluster, as far from others as can be.

    It is not there at once, and does not come again by itself.
    """
    made = ray.remote(TrackWorker).options(
        num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
    )
    return made.remote()


def why_lost(error: BaseException) -> str:
    """Say in one line why a worker is gone."""
    return _first_line(error)


def refuse_start(error: BaseException) -> StoppedEarlyError:
    """Make an error of why workers do not start."""
    return StoppedEarlyError(f"workers on the cluster cannot start: {_last_line(error)}")


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else repr(error)
