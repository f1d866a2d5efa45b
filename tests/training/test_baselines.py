"""The convolutional baselines: published sizes, shapes, learning, imports without torchaudio."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from network_fixtures import generator
from training.config import ModelConfig
from training.model.build import build_network

ROOT = Path(__file__).parents[2]
# Parameters published for 3 colours and 1000 classes (torchvision: efficientnet_b0, resnet50),
# width of the last layer, and weights of the first convolution for one colour.
PUBLISHED = {
    "efficientnet-b0": (5_288_548, 1280, 32 * 3 * 3),
    "resnet50": (25_557_032, 2048, 64 * 7 * 7),
}


def make(architecture, classes=5, seed=0):
    return build_network(ModelConfig(architecture=architecture), classes, seed)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PUBLISHED)
def test_parameters_are_the_published_ones_but_for_colours_and_classes(architecture):
    published, features, kernel = PUBLISHED[architecture]
    network = make(architecture, classes=5)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == published - 2 * kernel - (features + 1) * (1000 - 5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PUBLISHED)
def test_logits_are_the_last_layer_over_the_averaged_maps(architecture):
    network = make(architecture).eval()
    mel = torch.randn(2, 96, 160, generator=generator())
    maps = []
    network.backbone.pooler.register_forward_hook(lambda _m, inputs, _o: maps.append(inputs[0]))
    with torch.no_grad():
        logits, embedding = network(mel).logits, network.embed(mel)
    assert logits.shape == (2, 5)
    assert embedding.shape == (2, PUBLISHED[architecture][1])
    assert maps[0].shape[2:] == (3, 5)
    torch.testing.assert_close(embedding, maps[0].mean(dim=(2, 3)))
    torch.testing.assert_close(logits, network.head(embedding))
    assert network(mel).teacher is None


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_a_seed_gives_the_same_weights_and_leaves_torchs_generator_alone(architecture):
    state = torch.get_rng_state()
    first, again = (make(architecture, seed=1).state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, first.values(), again.values()))
    assert not torch.equal(first["head.weight"], make(architecture, seed=2).head.weight)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PUBLISHED)
def test_a_few_steps_learn_a_batch(architecture):
    network = make(architecture, classes=2).train()
    mel = torch.randn(4, 96, 32, generator=generator())
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    assert 0.1 < network.embed(mel).std() < 10  # nothing vanishes on the way
    torch.manual_seed(0)
    losses = []
    for _ in range(6):
        logits = network(mel, generator=generator()).logits
        loss = functional.binary_cross_entropy_with_logits(logits, targets)
        loss.backward()
        assert all(parameter.grad is not None for parameter in network.parameters())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_only_training_is_compiled(monkeypatch):
    calls = []

    def compile_nothing(function, **settings):
        return lambda network, mel: calls.append(settings) or function(network, mel)

    monkeypatch.setattr(torch, "compile", compile_nothing)
    network = make("efficientnet-b0").eval()
    mel = torch.randn(2, 96, 32, generator=generator())
    wanted = network(mel).logits
    network.compile(mode="max-autotune")
    torch.testing.assert_close(network(mel).logits, wanted)
    assert calls == []
    network.train()(mel, generator=generator())
    assert calls == [{"mode": "max-autotune"}]


def test_input_of_another_shape_is_refused():
    network = make("resnet50").eval()
    for shape in ((2, 128, 64), (96, 64), (1, 96, 31)):
        with pytest.raises(ValueError, match=r"wanted \[batch, 96, frames\]"):
            network(torch.zeros(shape))
        with pytest.raises(ValueError, match="32 frames or more"):
            network.embed(torch.zeros(shape))


@pytest.mark.slow
def test_a_torchaudio_that_does_not_load_is_done_without(tmp_path):
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libc10_cuda.so: not found')\n")
    code = (
        "import sys; from training.model.baselines import efficientnet_b0; "
        "efficientnet_b0(3); assert 'torchaudio' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
