"""The learning rate: the paper's numbers, and the reference's warm-up."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from training.config import ScheduleConfig
from training.recipe.schedule import learning_rate

PAPER = ScheduleConfig()


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0.0, 1e-4 * math.exp(-5.0)),
        (1.0, 1e-4 * math.exp(-5.0 * 0.8**2)),
        (2.5, 1e-4 * math.exp(-5.0 * 0.25)),
        (5.0, 1e-4),
        (50.0, 1e-4),
        (75.0, (1e-4 + 1e-7) / 2),
        (99.0, 1e-7 + (1e-4 - 1e-7) / 50),
        (100.0, 1e-7),
        (130.0, 1e-7),
    ],
)
def test_papers_numbers(epoch: float, expected: float) -> None:
    assert learning_rate(epoch, PAPER) == pytest.approx(expected, rel=1e-12)


def test_it_moves_without_jumps() -> None:
    rates = [learning_rate(step / 100, PAPER) for step in range(13_001)]
    assert max(abs(b - a) for a, b in pairwise(rates)) < 1e-6
    assert max(rates) == 1e-4


def test_without_warm_up_and_fall_it_is_constant() -> None:
    schedule = ScheduleConfig(peak=1e-3, warm_up=0.0, fall=0.0)
    assert {learning_rate(epoch, schedule) for epoch in (0.0, 1.0, 60.0, 200.0)} == {1e-3}
