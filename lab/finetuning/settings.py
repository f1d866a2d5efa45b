"""Ways to train on, to be compared by validation: each says all that any of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from training.config import Experiment, InitialisationConfig, LayersConfig


@dataclass(frozen=True)
class Setting:
    """Values of a fine-tuning, or of a training from random weights.

    Parameters
    ----------
    rate : float
        The largest learning rate.
    epochs : int
        The rate falls over the last 70 % of them.
    mixup : float
    masks : int
        SpecAugment's groups of frames at most; a fifth as many of bands.
    decay : float
        Each layer's rate, as a factor of that of the layer above.
    frozen : int, optional
        Blocks that keep their weights; None is the lower half.
    averaging : int, optional
        Epochs after which the mean of the weights begins.
    optimizer : {"adam", "muon"}
    """

    rate: float = 3e-4
    epochs: int = 10
    mixup: float = 0.3
    masks: int = 10
    decay: float = 0.8
    frozen: int | None = None
    averaging: int | None = None
    optimizer: Literal["adam", "muon"] = "adam"

    @property
    def values(self) -> list[str]:
        """Arguments, as on the command line."""
        recipe: dict[str, object] = {
            "epochs": self.epochs,
            "optimizer": self.optimizer,
            "schedule.peak": self.rate,
            "schedule.constant_until": 0.3 * self.epochs,
            "schedule.fall": 0.7 * self.epochs,
            "augmentation.mixup_alpha": self.mixup,
            "augmentation.time_groups": self.masks,
            "augmentation.band_groups": self.masks // 5,
            "layers.rate_decay": self.decay,
        }
        if self.averaging is not None:
            recipe |= {"averaging.start": self.averaging, "averaging.every": 1}
        if self.frozen is not None:
            recipe["layers.frozen_blocks"] = self.frozen
        return [f"--recipe.{key}={value}" for key, value in recipe.items()]


SETTINGS: Mapping[str, Setting] = {
    "rate 3e-4": Setting(),
    "rate 1e-3": Setting(rate=1e-3),
    "rate 3e-3": Setting(rate=3e-3),
    "rate 1e-3, mean of weights from epoch 4": Setting(rate=1e-3, averaging=4),
    "rate 1e-3, no mixup": Setting(rate=1e-3, mixup=0.0),
    "rate 1e-3, no block frozen": Setting(rate=1e-3, frozen=0),
}
"""Each changes something of another. Rates are for the width of the model that ships."""

RANDOM = Setting(rate=2.5e-3, epochs=30, decay=1.0, frozen=0, optimizer="muon")
"""From random weights, as the model that ships was made (training/configs/default.yaml)."""


def from_random(whole: Experiment) -> Experiment:
    """Give a training of a network of the same size from random weights, all of it.

    Parameters
    ----------
    whole : Experiment
        A fine-tuning of all blocks of a start.
    """
    return replace(
        whole,
        recipe=replace(whole.recipe, layers=LayersConfig()),
        model=replace(whole.model, head="mean"),
        initialisation=InitialisationConfig(),
    )
