"""Masked patches: a task beside the labels, which leaves the model what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from network_fixtures import generator, our_maest
from run_fixtures import make_dataset, make_experiment
from training.config import Experiment, MaskingConfig, ModelConfig
from training.errors import ConfigError
from training.model.masked_patches import MaskedPatches
from training.run.checkpoint import load_checkpoint
from training.run.config_checks import check_experiment
from training.run.fit import fit
from training.run.inference import load_trained


def with_masking(experiment: Experiment, **values: float) -> Experiment:
    averaging = replace(experiment.recipe.averaging, start=None)
    masking = MaskingConfig(**values)
    recipe = replace(experiment.recipe, averaging=averaging, masking=masking)
    return replace(experiment, recipe=recipe)


def test_what_is_masked_is_not_seen() -> None:
    """Whatever lies in the masked patches, classes and what is told of them are the same."""
    module = MaskedPatches(our_maest(206), MaskingConfig(1.0, 0.5)).eval()
    network = module.network
    mel = torch.randn(2, 96, 206, generator=generator(1))
    predictions, tokens, patches = network.predict_masked(mel, module.mask, 0.5, generator(3))
    assert tokens.shape == (2, 90, network.dim)
    assert patches.shape == (2, 90, 256)
    masked = torch.randperm(180, generator=generator(3))[:90]
    for place, values in zip(masked.tolist(), patches.unbind(1), strict=True):
        row, column = divmod(place, network.columns)
        tile = mel[:, row * 10 : row * 10 + 16, column * 10 : column * 10 + 16]
        assert torch.equal(values, tile.flatten(1))
    # The network with those patches left as they are says something else.
    assert not torch.allclose(predictions.logits, network(mel).logits)
    for name, value in network.patch_embed.named_parameters():
        assert value.grad is None, name
    loss = module(mel, generator=generator(3)).reconstruction
    assert loss is not None
    seen = network.patch_embed(mel, *(torch.div(masked, 20, rounding_mode="floor"), masked % 20))
    assert seen.shape == tokens.shape
    assert loss.item() > 0.5  # nothing is known yet: each patch has a variance of 1


def test_it_learns_to_tell_them() -> None:
    torch.manual_seed(0)
    module = MaskedPatches(our_maest(66, dim=32, depth=2, heads=2), MaskingConfig(1.0, 0.3)).train()
    steady = torch.sin(torch.arange(96.0) / 5)[:, None].expand(96, 66)
    mel = steady + 0.1 * torch.randn(4, 96, 66)
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    losses = []
    for step in range(80):
        loss = module(mel, generator=generator(step)).reconstruction
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@pytest.mark.slow
def test_a_run_with_it_leaves_a_plain_model_and_resumes(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    experiment = with_masking(make_experiment(dataset, tmp_path / "whole", epochs=2), weight=0.5)
    fit(experiment)
    whole = load_checkpoint(tmp_path / "whole" / "final.ckpt")
    assert whole.masked is not None
    assert whole.masked.keys() == {"mask", "norm.weight", "norm.bias", "decoder.weight",
                                   "decoder.bias"}  # fmt: skip
    assert whole.masked["mask"].abs().max() > 0
    trained = load_trained(tmp_path / "whole" / "final.ckpt", averaged=False)
    assert trained.network.state_dict().keys() == whole.network.keys()

    parts = replace(experiment, run=replace(experiment.run, folder=tmp_path / "parts"))
    fit(replace(parts, recipe=replace(parts.recipe, epochs=1)))
    fit(parts, resume=True)
    resumed = load_checkpoint(tmp_path / "parts" / "final.ckpt")
    assert resumed.masked is not None
    for wanted, found in ((whole.network, resumed.network), (whole.masked, resumed.masked)):
        assert all(torch.equal(value, found[name]) for name, value in wanted.items())


def test_where_it_cannot_be(tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path, tmp_path / "run")
    for values, message in (
        ({"weight": -1.0}, "recipe.masking.weight is -1.0"),
        ({"weight": 1.0, "share": 1.0}, "recipe.masking.share is 1.0"),
    ):
        with pytest.raises(ConfigError, match=message):
            check_experiment(with_masking(experiment, **values))
    masked = with_masking(experiment, weight=1.0)
    with pytest.raises(ConfigError, match="not compiled"):
        check_experiment(replace(masked, run=replace(masked.run, compile=True)))
    with pytest.raises(ConfigError, match="recipe.masking is for maest"):
        check_experiment(replace(masked, model=ModelConfig(architecture="resnet50", seconds=1.0)))
