"""A configuration to a network."""

from __future__ import annotations

import dataclasses

import torch

from training.config import ModelConfig
from training.errors import ConfigError
from training.model.baselines import efficientnet_b0, resnet50
from training.model.maest import MAEST
from training.model.network import Network
from training.model.sizes import SIZES, segment_frames
from training.recipe.randomness import Purpose, torch_generator

_BASELINES = {"efficientnet-b0": efficientnet_b0, "resnet50": resnet50}
_OF_ALL = ("architecture", "seconds")


def build_network(config: ModelConfig, classes: int, seed: int) -> Network:
    """Build a network with random weights.

    Parameters
    ----------
    config : ModelConfig
    classes : int
        Number of classes.
    seed : int
        The same seed gives the same weights; torch's global generator is left as it was.

    Returns
    -------
    Network
        On the CPU, in training mode.

    Raises
    ------
    ConfigError
        If a value is unknown, does not fit the others, or means nothing for the architecture.
    """
    if classes < 1:
        raise ConfigError(f"{classes} classes: wanted at least 1")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(seed, Purpose.INITIALISATION).initial_seed())
        if config.architecture == "maest":
            return _maest(config, classes)
        return _baseline(config, classes)


def _maest(config: ModelConfig, classes: int) -> MAEST:
    if config.size not in SIZES:
        raise ConfigError(f"size {config.size!r}: wanted one of {', '.join(SIZES)}")
    size = SIZES[config.size]
    return MAEST(
        dim=size.dim if config.dim is None else config.dim,
        depth=size.depth if config.depth is None else config.depth,
        heads=size.heads if config.heads is None else config.heads,
        classes=classes,
        segment_frames=segment_frames(config.seconds),
        head=config.head,
        patchout=config.patchout,
        narrow_stream=config.narrow_stream,
        recompute=config.recompute,
    )


def _baseline(config: ModelConfig, classes: int) -> Network:
    if config.architecture not in _BASELINES:
        raise ConfigError(
            f"architecture {config.architecture!r}: wanted maest or {' or '.join(_BASELINES)}"
        )
    default = ModelConfig()
    given = [
        field.name
        for field in dataclasses.fields(config)
        if field.name not in _OF_ALL and getattr(config, field.name) != getattr(default, field.name)
    ]
    if given:
        raise ConfigError(f"{config.architecture} has no {', '.join(given)}: only MAEST does")
    segment_frames(config.seconds)
    return _BASELINES[config.architecture](classes)
