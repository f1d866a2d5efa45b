"""The mean of weights: when it is taken, and that it is the mean."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.config import AveragingConfig
from training.recipe.averaging import WeightAverage, has_batch_norm, models_due

PAPER = AveragingConfig()


def test_papers_epochs() -> None:
    taken = [e for e in range(1, 131) if models_due(e, PAPER) > models_due(e - 1, PAPER)]
    assert taken == list(range(50, 131, 5))
    assert models_due(130, PAPER) == 17
    assert models_due(130, AveragingConfig(start=None)) == 0


def test_it_is_the_mean_of_the_epochs_that_are_due() -> None:
    network = nn.Linear(3, 2)
    average = WeightAverage(network, AveragingConfig(start=2, every=2))
    seen = []
    for epoch in range(1, 8):
        with torch.no_grad():
            network.weight.fill_(float(epoch) ** 2)
        if average.update(epoch):
            seen.append(epoch)
        # Asked again for the same epoch, as after an interruption, it takes nothing twice.
        assert not average.update(epoch)
    assert seen == [2, 4, 6]
    assert average.models == 3
    assert average.network is not None
    torch.testing.assert_close(
        average.network.weight, torch.full((2, 3), (4.0 + 16.0 + 36.0) / 3.0)
    )
    assert network.weight[0, 0].item() == 49.0


def test_no_memory_before_the_first() -> None:
    average = WeightAverage(nn.Linear(3, 2), PAPER)
    assert not average.update(49)
    assert average.network is None
    assert average.models == 0


def test_it_goes_on_from_a_checkpoint() -> None:
    network = nn.Linear(3, 2)
    settings = AveragingConfig(start=1, every=1)
    whole, first = WeightAverage(network, settings), WeightAverage(network, settings)
    resumed = WeightAverage(network, settings)
    for epoch in range(1, 6):
        with torch.no_grad():
            network.weight.normal_(generator=torch.Generator().manual_seed(epoch))
        whole.update(epoch)
        if epoch <= 3:
            first.update(epoch)
        if epoch == 3:
            assert first.network is not None
            resumed.load(first.network.state_dict(), first.models)
        if epoch > 3:
            resumed.update(epoch)
    assert whole.network is not None
    assert resumed.network is not None
    assert resumed.models == 5
    assert torch.equal(whole.network.weight, resumed.network.weight)


def test_batch_statistics_are_measured_anew() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    assert has_batch_norm(network)
    assert not has_batch_norm(nn.Linear(1, 1))
    average = WeightAverage(network, AveragingConfig(start=1, every=1))
    average.update(1)
    assert average.network is not None
    batches = [torch.randn(8, 4) * 5 + 1 for _ in range(4)]
    average.measure_statistics(batches)
    linear, norm = average.network
    with torch.no_grad():
        means = torch.stack([linear(batch).mean(0) for batch in batches])
        variances = torch.stack([linear(batch).var(0) for batch in batches])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    torch.testing.assert_close(norm.running_var, variances.mean(0))
    assert network[1].running_mean.tolist() == pytest.approx([0.0] * 3)
