"""Batches: which positions of an epoch, or tracks of a split, each process reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.errors import DataError

from .signals import ignore_signals

Batch = dict[str, Tensor]


def micro_batches(
    steps: range, batch: int, micro_batch: int, rank: int, processes: int
) -> list[list[int]]:
    """List the positions that one process reads, forward pass by forward pass.

    Parameters
    ----------
    steps : range
        Steps of the epoch that are still to be done.
    batch, micro_batch : int
        Tracks of a step, and of a forward pass.
    rank, processes : int

    Returns
    -------
    list of list of int
        Positions in the epoch's order. Step s has positions ``s * batch`` and on; its n-th
        `micro_batch` of them belongs to process ``n % processes``.
    """
    found = []
    for step in steps:
        for first in range(rank * micro_batch, batch, processes * micro_batch):
            start = step * batch + first
            found.append(list(range(start, start + micro_batch)))
    return found


def share_of(indices: NDArray[np.int64], rank: int, processes: int) -> NDArray[np.int64]:
    """Give the tracks that one process evaluates: as many in each, the last one repeated."""
    wanted = -(-len(indices) // processes) * processes
    repeated = np.pad(indices, (0, wanted - len(indices)), mode="edge")
    return repeated[rank::processes]


def make_loader(
    dataset: Dataset[dict[str, Any]],
    batches: list[list[int]],
    workers: int,
    device: torch.device,
) -> DataLoader[dict[str, Any]]:
    """Make a loader of given batches; processes that read end with the iteration."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=min(workers, len(batches)),
        pin_memory=device.type == "cuda",
        worker_init_fn=ignore_signals,
        # One of its own: by default every iteration takes a number from torch's global one.
        generator=torch.Generator().manual_seed(0),
    )


def in_order(length: int, batch: int) -> list[list[int]]:
    """Cut positions 0 to `length` into batches; the last may be shorter."""
    return [list(range(at, min(at + batch, length))) for at in range(0, length, batch)]


@contextmanager
def read_batches(
    loader: DataLoader[dict[str, Any]], device: torch.device
) -> Iterator[Iterator[Batch]]:
    """Read batches onto a device; the processes that read have ended when this is left.

    Left to the garbage collector, they would outlive an error whose traceback holds the iterator,
    and as they ignore SIGTERM, Python would wait for them at exit for ever.

    Raises
    ------
    DataError
        A reading process died.
    """
    before = set(active_children())
    iterator = iter(loader)
    try:
        yield _batches(iterator, device)
    finally:
        # Not public, but what Lightning calls too: torch has no other way to end them here.
        shut_down = getattr(iterator, "_shutdown_workers", None)
        if shut_down is not None:
            shut_down()
        for process in set(active_children()) - before:
            process.kill()
            process.join()


def _read(iterator: Iterator[Batch]) -> Iterator[Batch]:
    while True:
        try:
            yield next(iterator)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise DataError(f"a process that reads spectrograms ended: {error}") from error


def _batches(iterator: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    if device.type != "cuda":
        for batch in _read(iterator):
            yield {name: value.to(device) for name, value in batch.items()}
        return
    # The next batch is on its way while the present one is computed.
    aside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    coming: tuple[Batch, torch.cuda.Event] | None = None
    for batch in _read(iterator):
        with torch.cuda.stream(aside):
            moved = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            ready = aside.record_event()
        if coming is not None:
            yield _arrived(*coming)
        coming = moved, ready
    if coming is not None:
        yield _arrived(*coming)


def _arrived(batch: Batch, ready: torch.cuda.Event) -> Batch:
    """Let what is computed from now on wait for a batch, and keep its memory until then."""
    stream = torch.cuda.current_stream()
    stream.wait_event(ready)
    for value in batch.values():
        value.record_stream(stream)
    return batch
