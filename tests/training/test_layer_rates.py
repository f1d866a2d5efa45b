"""Fine-tuning's switches: frozen layers, a rate for each, an end by validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from network_fixtures import our_maest
from run_fixtures import make_dataset, make_experiment
from training.config import Experiment, LayersConfig, ModelConfig
from training.errors import ConfigError
from training.model.layer_rates import RATE_SCALE, freeze_layers, rate_groups
from training.recipe.schedule import learning_rate
from training.run.assembly import make_network, make_optimizer
from training.run.checkpoint import load_checkpoint
from training.run.config_checks import check_experiment
from training.run.fit import fit
from training.run.folder import RunFolder
from training.run.logs import read_rows
from training.run.position import Position


def with_layers(experiment: Experiment, **values: object) -> Experiment:
    return replace(experiment, recipe=replace(experiment.recipe, layers=LayersConfig(**values)))


def test_what_is_frozen() -> None:
    network = our_maest(206)  # 3 blocks
    freeze_layers(network, LayersConfig(frozen_blocks=2))
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert trained == {
        name
        for name in network.state_dict()
        if name.startswith(("blocks.2.", "norm.", "head.0.", "head.1."))
    }
    network = our_maest(206)
    before = [p.requires_grad for p in network.parameters()]
    freeze_layers(network, LayersConfig())
    assert [p.requires_grad for p in network.parameters()] == before


def test_each_layer_has_the_rate_of_the_one_above_times_the_decay() -> None:
    network = our_maest(206)
    freeze_layers(network, LayersConfig(frozen_blocks=1))
    groups = rate_groups(network, LayersConfig(frozen_blocks=1, rate_decay=0.5))
    names = {id(p): name for name, p in network.named_parameters()}
    scales = {names[id(p)]: group[RATE_SCALE] for group in groups for p in group["params"]}
    assert scales.keys() == {name for name, p in network.named_parameters() if p.requires_grad}
    assert scales["head.1.weight"] == scales["norm.bias"] == 1.0
    assert scales["blocks.2.mlp.fc1.weight"] == 0.5
    assert scales["blocks.1.attn.qkv.bias"] == 0.25
    whole = rate_groups(our_maest(206), LayersConfig(rate_decay=0.5))
    assert [group[RATE_SCALE] for group in whole] == [0.0625, 0.125, 0.25, 0.5, 1.0]


def test_one_rate_for_all_is_one_group_as_before(tmp_path: Path) -> None:
    experiment = make_experiment(tmp_path, tmp_path / "run")
    optimizer = make_optimizer(make_network(experiment, 3), experiment)
    assert [RATE_SCALE in group for group in optimizer.param_groups] == [False]


@pytest.mark.parametrize(
    ("layers", "model", "message"),
    [
        ({"frozen_blocks": 3}, {}, "frozen_blocks is 3, of 2 blocks"),
        ({"frozen_blocks": -1}, {}, "frozen_blocks is -1"),
        ({"rate_decay": 0.0}, {}, "rate_decay is 0.0, wanted above 0"),
        ({"rate_decay": 1.5}, {}, "rate_decay is 1.5"),
        ({"frozen_blocks": 1}, {"architecture": "resnet50"}, "recipe.layers are of maest"),
    ],
)
def test_layers_that_cannot_be(
    layers: dict[str, object], model: dict[str, object], message: str, tmp_path: Path
) -> None:
    experiment = with_layers(make_experiment(tmp_path, tmp_path / "run"), **layers)
    if model:
        experiment = replace(experiment, model=ModelConfig(seconds=1.0, **model))
    with pytest.raises(ConfigError, match=message):
        check_experiment(experiment)
    muon = replace(experiment.recipe, optimizer="muon", layers=LayersConfig(rate_decay=0.5))
    with pytest.raises(ConfigError, match="rate_decay is for recipe.optimizer adam"):
        check_experiment(replace(experiment, model=ModelConfig(), recipe=muon))


@pytest.mark.slow
def test_a_run_changes_only_what_it_may(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "dataset")
    experiment = make_experiment(dataset, tmp_path / "run", epochs=1)
    averaging = replace(experiment.recipe.averaging, start=None)
    experiment = replace(experiment, recipe=replace(experiment.recipe, averaging=averaging))
    experiment = with_layers(experiment, frozen_blocks=1, rate_decay=0.5)
    first = make_network(experiment, 4).state_dict()
    fit(experiment)
    done = load_checkpoint(tmp_path / "run" / "final.ckpt")
    frozen = ("cls_token", "dist", "new_pos", "freq_new", "time_new", "patch_embed", "blocks.0.")
    for name, value in first.items():
        same = torch.equal(value, done.network[name])
        assert same == name.startswith((*frozen, "head_dist.")), name
    last = learning_rate(1 - 1 / 3, experiment.recipe.schedule)  # of 3 steps of the epoch
    rates = [group["lr"] / last for group in done.optimizer["param_groups"]]
    assert rates == pytest.approx([0.5, 1.0])
    fit(
        replace(experiment, recipe=replace(experiment.recipe, epochs=2)),
        resume=True,
    )


def test_when_patience_is_lost() -> None:
    at = Position(epoch=7, best=0.5, best_epoch=4)
    assert at.has_lost_patience(3)
    assert not at.has_lost_patience(4)
    assert not at.has_lost_patience(None)
    assert not Position(epoch=7).has_lost_patience(1)
    assert not replace(at, position=2).has_lost_patience(3)


@pytest.mark.slow
def test_a_run_that_gets_no_better_ends_with_its_best(tmp_path: Path) -> None:
    """A rate of nearly nothing: the start stays the best."""
    dataset = make_dataset(tmp_path / "dataset", families=False)
    experiment = make_experiment(dataset, tmp_path / "run", epochs=9, patience=2)
    schedule = replace(
        experiment.recipe.schedule, peak=1e-12, last=0, warm_up=0, constant_until=2, fall=2
    )
    averaging = replace(experiment.recipe.averaging, start=None)
    recipe = replace(experiment.recipe, schedule=schedule, averaging=averaging)
    experiment = replace(experiment, recipe=recipe)
    fit(experiment)
    folder = RunFolder(tmp_path / "run")
    assert len(read_rows(folder.path / "epochs.csv")) == 3
    assert folder.final.read_bytes() == folder.best.read_bytes()
    assert load_checkpoint(folder.final).progress["epoch"] == 0
    # Asked to go on, it has nothing to do.
    fit(experiment, resume=True)
    assert len(read_rows(folder.path / "epochs.csv")) == 3
