"""Which of a MAEST's weights are trained, and how fast each layer is."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from torch import nn

from training.config import LayersConfig
from training.model.maest import MAEST

RATE_SCALE = "rate_scale"
"""Key of a group of the optimizer: its learning rate is the schedule's times this."""

_BLOCK = re.compile(r"blocks\.(\d+)\.")


def freeze_layers(network: MAEST, layers: LayersConfig) -> None:
    """Let the lower layers keep their weights: nothing is computed for their gradients.

    Parameters
    ----------
    network : MAEST
        Changed in place.
    layers : LayersConfig
    """
    if layers.frozen_blocks == 0:
        return
    for name, parameter in network.named_parameters():
        if _layer(name, network.depth) <= layers.frozen_blocks:
            parameter.requires_grad_(False)


def rate_groups(network: MAEST, layers: LayersConfig) -> list[dict[str, Any]]:
    """Group the weights that are trained by their layer, each with its `RATE_SCALE`.

    Parameters
    ----------
    network : MAEST
    layers : LayersConfig

    Returns
    -------
    list of dict
        For an optimizer, from the first layer to the head: the head's scale is 1, that of each
        layer below is `rate_decay` times that of the one above (Clark et al., ICLR 2020; Bao et
        al., ICLR 2022).
    """
    found: dict[int, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            found[_layer(name, network.depth)].append(parameter)
    top = network.depth + 1
    return [
        {"params": found[layer], RATE_SCALE: layers.rate_decay ** (top - layer)}
        for layer in sorted(found)
    ]


def _layer(name: str, depth: int) -> int:
    """Give a weight's layer: 0 what makes the tokens, then the blocks, then norm and heads."""
    block = _BLOCK.match(name)
    if block:
        return 1 + int(block[1])
    return depth + 1 if name.startswith(("norm.", "head")) else 0
