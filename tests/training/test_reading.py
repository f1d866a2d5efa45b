"""Processes that read batches end with the reading, however it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from multiprocessing import active_children
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from training.run import batches as module
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


class Told:
    """A tensor, a stream and an event of a GPU that is not there: they tell what is done."""

    def __init__(self, name: str, told: list[str]) -> None:
        self.name, self.told = name, told

    def to(self, device: torch.device, *, non_blocking: bool) -> Told:
        assert device.type == "cuda"
        assert non_blocking
        self.told.append(f"send {self.name}")
        return self

    def record_event(self) -> str:
        return self.told[-1].replace("send", "wait for")

    def wait_event(self, event: str) -> None:
        self.told.append(event)

    def record_stream(self, stream: Told) -> None:
        self.told.append(f"hold {self.name} for {stream.name}")


def test_the_next_batch_is_sent_to_a_gpu_before_the_present_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Told("aside", told))
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: Told("computing", told))

    def read() -> Iterator[dict[str, Told]]:
        for number in range(3):
            yield {"mel": Told(str(number), told)}

    for batch in module._batches(read(), torch.device("cuda")):  # type: ignore[arg-type]
        told.append(f"compute {batch['mel'].name}")  # type: ignore[attr-defined]
    given = [f"wait for {n} / hold {n} for computing / compute {n}" for n in range(3)]
    wanted = f"send 0 / send 1 / {given[0]} / send 2 / {given[1]} / {given[2]}"
    assert told == wanted.split(" / ")
