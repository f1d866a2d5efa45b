"""An experiment put together: data, network, optimizer and devices, from its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from numpy.typing import NDArray
from torch import nn

from training.config import Experiment, RecipeConfig, RunConfig
from training.data.store import SpectrogramStore
from training.data.teacher_activations import TeacherTargets
from training.errors import ConfigError, DataError
from training.model.build import build_network
from training.model.initialisation import Start, initialise
from training.model.layer_rates import freeze_layers, rate_groups
from training.model.maest import MAEST
from training.model.masked_patches import MaskedPatches
from training.model.network import Network
from training.model.sizes import input_frames
from training.recipe.averaging import WeightAverage
from training.recipe.muon import Muon
from training.recipe.randomness import Purpose, numpy_generator
from training.recipe.sampler import (
    draw_repeatedly,
    draw_tracks,
    label_counts,
    track_weights,
)
from training.recipe.spec_augment import SpecAugment


def make_fabric(run: RunConfig) -> Fabric:
    """Choose devices and precision; how GPUs multiply float32 is set for the whole process.

    Raises
    ------
    ConfigError
        This machine does not have them.
    """
    gpu = run.accelerator == "cuda" or (run.accelerator == "auto" and torch.cuda.is_available())
    available = torch.cuda.device_count()
    if gpu and available < run.devices:
        raise ConfigError(f"run.devices is {run.devices}, this machine has {available} GPUs")
    if not gpu and run.precision == "16-mixed":
        raise ConfigError("run.precision 16-mixed is for GPUs, and this machine has none")
    if gpu:
        torch.set_float32_matmul_precision(run.matmul_precision)
    return Fabric(
        accelerator="cuda" if gpu else "cpu",
        devices=run.devices,
        num_nodes=run.nodes,
        precision=run.precision,
        strategy="ddp" if run.devices * run.nodes > 1 else "auto",
    )


@dataclass
class TrainingSet:
    """The training split of a data set, and how epochs are drawn from it.

    Attributes
    ----------
    store : SpectrogramStore
    indices : ndarray
        [tracks] of the split.
    weights : ndarray
        [tracks] by which tracks are drawn.
    counts : ndarray
        [classes] how often each label is given.
    """

    store: SpectrogramStore
    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def of(cls, store: SpectrogramStore, recipe: RecipeConfig) -> TrainingSet:
        """Take a data set's training split.

        Raises
        ------
        DataError
            It has fewer tracks than a batch.
        """
        indices = store.indices("train")
        offsets, classes, weight = store.label_matrix(indices)
        offset = recipe.sampling.frequency_offset
        weights = track_weights(offsets, classes, weight, len(store.classes), offset)
        usable = int(np.count_nonzero(weights))
        if usable < recipe.batch:
            raise DataError(
                f"{store.folder}: {usable} labelled training tracks, fewer than a batch of "
                f"{recipe.batch} (recipe.batch)"
            )
        return cls(store, indices, weights, label_counts(len(store.classes), classes, weight))

    def steps(self, recipe: RecipeConfig) -> int:
        """Count the steps of an epoch; tracks that do not fill a last batch wait for another."""
        drawn = recipe.sampling.tracks
        if not recipe.sampling.replacement:
            drawn = min(drawn, int(np.count_nonzero(self.weights)))
        return drawn // recipe.batch

    def order(self, epoch: int, recipe: RecipeConfig, seed: int) -> NDArray[np.int64]:
        """Draw the tracks of an epoch, as indices of the data set."""
        generator = numpy_generator(seed, Purpose.SAMPLING, epoch)
        draw = draw_repeatedly if recipe.sampling.replacement else draw_tracks
        return self.indices[draw(self.weights, recipe.sampling.tracks, generator)]

    def is_balanced(self, recipe: RecipeConfig) -> bool:
        """Say whether some tracks come more often than others."""
        sampling = recipe.sampling
        return sampling.replacement or sampling.tracks < int(np.count_nonzero(self.weights))

    def unlabelled_classes(self) -> list[str]:
        """Name the classes that no training track has."""
        return [
            name for name, count in zip(self.store.classes, self.counts, strict=True) if count == 0
        ]


def make_network(experiment: Experiment, classes: int) -> Network:
    """Make the network with the weights that `run.seed` gives."""
    network = build_network(experiment.model, classes, experiment.run.seed)
    if isinstance(network, MAEST):
        freeze_layers(network, experiment.recipe.layers)
    return network


def initial_weights(experiment: Experiment, network: Network, classes: Sequence[str]) -> Start:
    """Load what the experiment starts from; tells what had to be changed for it."""
    source = experiment.initialisation
    return initialise(network, source.source, source.checkpoint, classes)


def make_optimizer(network: nn.Module, experiment: Experiment) -> torch.optim.Optimizer:
    """Make Adam or Muon, with weight decay as the recipe has it."""
    recipe, run = experiment.recipe, experiment.run
    if recipe.optimizer == "muon":
        return _make_muon(network, recipe)
    kind = torch.optim.AdamW if recipe.decoupled_weight_decay else torch.optim.Adam
    # Loss scaling inside the fused step would keep the gradients that are clipped from us.
    fused = not (run.precision == "16-mixed" and recipe.gradient_clipping is not None)
    parameters: Any = [p for p in network.parameters() if p.requires_grad]
    if isinstance(network, MAEST) and recipe.layers.rate_decay != 1.0:
        parameters = rate_groups(network, recipe.layers)
    return kind(
        parameters,
        lr=recipe.schedule.peak,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )


def _make_muon(network: nn.Module, recipe: RecipeConfig) -> Muon:
    matrices: list[nn.Parameter] = []
    stacked: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        hidden = name.startswith("blocks.") and parameter.ndim == 2
        place = (stacked if ".qkv." in name else matrices) if hidden else others
        if parameter.requires_grad:
            place.append(parameter)
    return Muon(
        matrices, stacked, others, lr=recipe.schedule.peak, weight_decay=recipe.weight_decay
    )


def make_augment(experiment: Experiment) -> SpecAugment | None:
    """Make SpecAugment, unless it is switched off."""
    settings = experiment.recipe.augmentation
    if settings.time_groups == 0 and settings.band_groups == 0:
        return None
    return SpecAugment(
        settings.time_groups, settings.time_width, settings.band_groups, settings.band_width
    )


def make_teacher(experiment: Experiment, store: SpectrogramStore) -> TeacherTargets | None:
    """Open the teacher's activations, if there is a teacher."""
    teacher = experiment.recipe.teacher
    if teacher.activations is None:
        return None
    return TeacherTargets(teacher.activations, store, teacher.threshold)


@dataclass
class Parts:
    """What the training loop works with.

    Attributes
    ----------
    fabric : Fabric
    data : TrainingSet
    validation : ndarray
        [tracks] of the validation split; may be empty.
    network : Network
        The bare network: its weights are saved, averaged and validated.
    model : Fabric's module
        The same network as Fabric runs it: precision, gradients shared between processes.
    optimizer : torch.optim.Optimizer
    stepper : object
        The optimizer as Fabric runs it.
    average : WeightAverage
    augment, teacher : optional
    frames : int
        Mel frames of an input.
    masked : MaskedPatches, optional
        What the network learns beside labels, if anything.
    """

    fabric: Fabric
    data: TrainingSet
    validation: NDArray[np.int64]
    network: Network
    model: _FabricModule
    optimizer: torch.optim.Optimizer
    stepper: torch.optim.Optimizer
    average: WeightAverage
    augment: SpecAugment | None
    teacher: TeacherTargets | None
    frames: int
    masked: MaskedPatches | None = None


def assemble(
    experiment: Experiment, fabric: Fabric, store: SpectrogramStore, network: Network
) -> Parts:
    """Put an experiment together around a network that has its first weights."""
    if experiment.run.compile:
        network.compile()
    optimizer = make_optimizer(network, experiment)
    masked = None
    if isinstance(network, MAEST) and experiment.recipe.masking.weight > 0:
        masked = MaskedPatches(network, experiment.recipe.masking)
        own = [parameter for name, parameter in masked.named_parameters() if name in masked.own()]
        # Not matrices of the network: for Muon they are among the others.
        optimizer.add_param_group({**_plain_group(optimizer), "params": own})
    model, stepper = fabric.setup(masked or network, optimizer)
    return Parts(
        fabric=fabric,
        data=TrainingSet.of(store, experiment.recipe),
        validation=store.indices("validation"),
        network=network,
        model=model,
        optimizer=optimizer,
        stepper=stepper,
        average=WeightAverage(network, experiment.recipe.averaging),
        augment=make_augment(experiment),
        teacher=make_teacher(experiment, store),
        frames=input_frames(experiment.model),
        masked=masked,
    )


def _plain_group(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    return {"orthogonal": False, "stacked": False} if isinstance(optimizer, Muon) else {}
