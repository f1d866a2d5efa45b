"""What compiling changes: nothing of the results, in mixed precision not of their exactness."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional

from training.config import ModelConfig, PatchoutConfig
from training.model.build import build_network
from training.model.maest import MAEST

CLASSES = 7
SMALL = ModelConfig(dim=64, heads=2, depth=3, seconds=2, patchout=PatchoutConfig(2, 3))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def network() -> MAEST:
    """Norms and biases are other than at the beginning, so that they matter."""
    torch._dynamo.reset()
    network = build_network(SMALL, CLASSES, seed=0).train()
    assert isinstance(network, MAEST)
    draw = generator(9)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    return network


def gradients(network: MAEST, *, mixed: bool) -> dict[str, torch.Tensor]:
    mel = torch.randn(4, 96, network.segment_frames, generator=generator(1))
    targets = (torch.rand(4, CLASSES, generator=generator(2)) < 0.3).float()
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        logits = network(mel, generator=generator(3)).logits
        loss = functional.binary_cross_entropy_with_logits(logits.float(), targets)
    torch.autograd.backward(loss)
    return {
        name: parameter.grad.clone()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None
    }


def distances(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, float]:
    # The keys' biases change nothing: their gradients are rounding alone.
    return {
        name: float((found[name] - value).norm() / value.norm())
        for name, value in wanted.items()
        if not name.endswith("qkv.bias")
    }


@pytest.mark.slow
@pytest.mark.parametrize("narrow", [False, True])
def test_mixed_precision_is_as_near_to_float32_as_without_compiling(
    network: MAEST, narrow: bool
) -> None:
    wanted = gradients(network, mixed=False)
    plain = distances(gradients(network, mixed=True), wanted)
    compiled = copy.deepcopy(network)
    compiled.narrow_stream = narrow
    compiled.compile(fullgraph=True, backend="aot_eager")
    found = distances(gradients(compiled, mixed=True), wanted)
    assert max(plain.values()) > 1e-4  # it is another precision
    assert max(found.values()) < 2 * max(plain.values())
    mean = sum(found.values()) / len(found)
    assert mean < 1.3 * sum(plain.values()) / len(plain)


@pytest.mark.slow
def test_in_float32_compiling_changes_nothing(network: MAEST) -> None:
    wanted = gradients(network, mixed=False)
    network.compile(fullgraph=True, backend="aot_eager")
    for name, found in gradients(network, mixed=False).items():
        torch.testing.assert_close(found, wanted[name], rtol=0, atol=0)


@pytest.mark.slow
def test_a_second_network_is_compiled_for_its_own_shapes(network: MAEST) -> None:
    """Not for any shape, because there were two: such code is slower, and once did not compile."""
    shapes: list[torch.Size] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        shapes.extend(value.shape for value in inputs if isinstance(value, torch.Tensor))
        assert all(isinstance(value, torch.Tensor) for value in inputs), "a size is an input"
        return graph

    longer = build_network(ModelConfig(dim=64, heads=2, depth=1, seconds=4), CLASSES, seed=0)
    for each in (network, longer.train()):
        each.compile(backend=backend)
        frames = each.segment_frames
        each(torch.randn(2, 96, frames, generator=generator(1)), generator=generator(2))
        assert torch.Size([2, 96, frames]) in shapes
    assert all(isinstance(size, int) for shape in shapes for size in shape)


def test_a_narrow_stream_is_of_mixed_precision_only(network: MAEST) -> None:
    network.narrow_stream = True
    kept: list[torch.dtype] = []
    network.blocks[1].register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].dtype))
    for mixed in (False, True):
        gradients(network, mixed=mixed)
    network.narrow_stream = False
    gradients(network, mixed=True)
    assert kept == [torch.float32, torch.bfloat16, torch.float32]
