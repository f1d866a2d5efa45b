"""Muon: against torch's, and what a step does to matrices and to the rest."""

import copy

import pytest
import torch
from torch import nn

from training.recipe.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(6, 6), (4, 16)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(matrices)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.25
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    across = left.mT @ found @ right.mT
    off_diagonal = across - torch.diag_embed(torch.diagonal(across, dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-4


def test_a_zero_matrix_stays_zero():
    assert (orthogonalised(torch.zeros(1, 3, 5)) == 0).all()


@pytest.mark.parametrize("shape", [(8, 8), (24, 8), (8, 24)])
def test_steps_are_those_of_torch(shape):
    """torch's computes in bfloat16, and the last bits of its iteration differ."""
    own = nn.Parameter(_random(shape, 1))
    theirs = nn.Parameter(own.detach().clone())
    optimizer = Muon([own], [], [], lr=0.01, weight_decay=0.1)
    oracle = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    began = own.detach().clone()
    for turn in range(4):
        own.grad = _random(shape, 10 + turn)
        theirs.grad = own.grad.clone()
        optimizer.step()
        oracle.step()
    moved, wanted = own - began, theirs - began
    assert (moved - wanted).norm() < 0.02 * wanted.norm()


def test_stacked_layers_are_changed_as_layers_by_themselves():
    layers = [nn.Parameter(_random((8, 8), number)) for number in range(3)]
    stacked = nn.Parameter(torch.cat([layer.detach() for layer in layers]))
    alone = Muon(layers, [], [], lr=0.01, weight_decay=0.0)
    together = Muon([], [stacked], [], lr=0.01, weight_decay=0.0)
    for layer in layers:
        layer.grad = _random((8, 8), 7) * layer.detach()
    stacked.grad = torch.cat([layer.grad for layer in layers])
    alone.step()
    together.step()
    torch.testing.assert_close(stacked.detach(), torch.cat([layer.detach() for layer in layers]))


def test_the_rest_is_changed_by_adamw():
    bias = nn.Parameter(_random((5,), 0))
    other = nn.Parameter(bias.detach().clone())
    matrix = nn.Parameter(_random((4, 4), 1))
    optimizer = Muon([matrix], [], [bias], lr=0.01, weight_decay=0.1)
    oracle = torch.optim.AdamW([other], lr=0.01, weight_decay=0.1, betas=(0.9, 0.99))
    for turn in range(3):
        bias.grad = _random((5,), turn)
        other.grad = bias.grad.clone()
        matrix.grad = _random((4, 4), turn)
        optimizer.step()
        oracle.step()
    torch.testing.assert_close(bias, other)


def test_a_saved_state_goes_on_as_if_never_stopped():
    parameters = [nn.Parameter(_random(shape, 3)) for shape in ((4, 8), (12, 4), (4,))]
    resumed = copy.deepcopy(parameters)
    optimizer = _of(parameters)
    _step(optimizer, parameters, 0)
    for value, copied in zip(parameters, resumed, strict=True):
        copied.data.copy_(value)
    other = _of(resumed)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    _step(optimizer, parameters, 1)
    _step(other, resumed, 1)
    for value, copied in zip(parameters, resumed, strict=True):
        assert torch.equal(value, copied)


def _of(parameters):
    return Muon(parameters[:1], parameters[1:2], parameters[2:], lr=0.01, weight_decay=0.1)


def _step(optimizer, parameters, seed):
    for parameter in parameters:
        parameter.grad = _random(parameter.shape, seed)
    optimizer.step()


def _random(shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
