"""Processes that read batches end with the reading, however it ends."""

from __future__ import annotations

import time
from multiprocessing import active_children
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from training.run.batches import in_order, make_loader, read_batches

CPU = torch.device("cpu")


class Numbers(Dataset[dict[str, Any]]):
    """Gives positions; hangs from `hangs_at` on."""

    def __init__(self, hangs_at: int = 1_000) -> None:
        self._hangs_at = hangs_at

    def __len__(self) -> int:
        return 64

    def __getitem__(self, position: int) -> dict[str, Any]:
        if position >= self._hangs_at:
            time.sleep(600)
        return {"position": position}


def loader(numbers: Numbers) -> DataLoader[dict[str, Any]]:
    return make_loader(numbers, in_order(len(numbers), 4), 2, CPU)


def test_all_is_read_in_order() -> None:
    with read_batches(loader(Numbers()), CPU) as batches:
        found = torch.cat([batch["position"] for batch in batches])
    assert torch.equal(found, torch.arange(64))
    assert not active_children()


def test_an_error_ends_them_though_it_is_kept() -> None:
    kept: list[BaseException] = []

    def fail() -> None:
        with read_batches(loader(Numbers()), CPU) as batches:
            next(batches)
            assert len(active_children()) == 2
            raise ValueError("of the trainer")

    with pytest.raises(ValueError, match="of the trainer") as caught:
        fail()
    kept.append(caught.value)  # its traceback holds the iterator
    assert not active_children()


def test_one_that_hangs_is_killed() -> None:
    with read_batches(loader(Numbers(hangs_at=32)), CPU) as batches:
        next(batches)
    assert not active_children()
