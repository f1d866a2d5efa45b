"""The paper's downstream model (section 3.3): a perceptron with one hidden layer on embeddings."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.config import ScheduleConfig
from training.errors import ConfigError, DataError
from training.recipe.loss import known_cross_entropy
from training.recipe.metrics import score
from training.recipe.randomness import Purpose, torch_generator
from training.recipe.schedule import learning_rate
from training.recipe.threads import one_thread

HIDDEN = 512
WEIGHT_DECAY = 1e-3
WARM_UP_EPOCHS = 10
LAST_RATE = 1e-7


@dataclass(frozen=True)
class MlpSetting:
    """What the grid of section 4.4 varies; the defaults are the setting of the other sections.

    Attributes
    ----------
    batch_size : int
    epochs : int
    dropout : float
    peak : float
        The highest learning rate.
    constant : float or None
        Epochs at the highest rate. The paper does not tell how many; None is half of those that
        the rise leaves. 0 is what the paper's code does.
    """

    batch_size: int = 128
    epochs: int = 30
    dropout: float = 0.5
    peak: float = 1e-3
    constant: float | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.epochs < 1 or not 0 <= self.dropout < 1 or self.peak <= 0:
            raise ConfigError(
                f"{self}: wanted a batch and epochs of 1 or more, a dropout from 0 to below 1, and "
                "a learning rate above 0"
            )

    def schedule(self, steps_of_epoch: int) -> ScheduleConfig:
        """Give the learning rate's shape: an exponential rise of 10 epochs, a constant, a line.

        Parameters
        ----------
        steps_of_epoch : int
            The last step of the last epoch has the rate 1e-7.
        """
        rise = float(min(WARM_UP_EPOCHS, self.epochs))
        left = self.epochs - rise
        constant = left / 2 if self.constant is None else min(self.constant, left)
        fall = self.epochs - 1 / steps_of_epoch - rise - constant
        return ScheduleConfig(self.peak, rise, rise + constant, max(fall, 0.0), LAST_RATE)


@dataclass(frozen=True)
class Learnt:
    """What came of it.

    Attributes
    ----------
    activations : float64 [tracks asked for, classes]
        With the weights of the best epoch.
    best_epoch : int
        From 1.
    validation_roc_auc, validation_map : float
        Of that epoch.
    """

    activations: NDArray[np.float64]
    best_epoch: int
    validation_roc_auc: float
    validation_map: float


@one_thread()
def learn(
    train: tuple[NDArray[np.float32], NDArray[np.float32]],
    validation: tuple[NDArray[np.float32], NDArray[np.float32]],
    asked: NDArray[np.float32],
    setting: MlpSetting,
    *,
    seed: int = 0,
    device: str = "cpu",
) -> Learnt:
    """Train the perceptron, and apply the weights of the epoch with the best validation ROC-AUC.

    Parameters
    ----------
    train, validation : (float32 [tracks, values], float32 [tracks, classes])
        Embeddings, and targets of 0 and 1, or NaN where nothing is known.
    asked : float32 [tracks, values]
        Whose activations are wanted: the test split.
    setting : MlpSetting
    seed : int
        Of weights, order and dropout. On a CPU the same gives the same result: one thread computes.
    device : str

    Returns
    -------
    Learnt

    Raises
    ------
    DataError
        No class of the validation split can be scored.

    Notes
    -----
    Binary cross-entropy; Adam, with a weight decay of 1e-3; the learning rate moves with each step.
    The paper's code has AdamW.
    """
    features, targets = (torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in train)
    held, truth = (torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in validation)
    network = _network(features.shape[1], targets.shape[1], setting.dropout, seed).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=setting.peak, weight_decay=WEIGHT_DECAY)
    steps = -(-len(features) // setting.batch_size)
    schedule = setting.schedule(steps)
    names = [str(number) for number in range(targets.shape[1])]
    best, kept = (-1.0, 0, 0.0), network.state_dict()
    for epoch in range(setting.epochs):
        order = torch.randperm(
            len(features), generator=torch_generator(seed, Purpose.SAMPLING, epoch)
        ).to(device)
        network.train()
        with torch.random.fork_rng(devices=[]):
            # dropout has no generator of its own
            torch.manual_seed(torch_generator(seed, Purpose.NETWORK, epoch).initial_seed())
            for step in range(steps):
                chosen = order[step * setting.batch_size : (step + 1) * setting.batch_size]
                rate = learning_rate(epoch + step / steps, schedule)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad()
                loss = known_cross_entropy(network(features[chosen]), targets[chosen])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        scores = score(_apply(network, held), truth, names)
        if scores.roc_auc > best[0]:
            best = (scores.roc_auc, epoch + 1, scores.mean_average_precision)
            kept = copy.deepcopy(network.state_dict())
    if not best[1]:
        raise DataError(
            f"no class has tracks with and without it among the {len(held)} of the validation "
            "split: no epoch can be chosen; wanted one or more"
        )
    network.load_state_dict(kept)
    logits = _apply(network, torch.from_numpy(np.ascontiguousarray(asked)).to(device))
    # float64, as two confident activations are equal in float32; then only the order counts
    activations = logits.double().sigmoid().cpu().numpy()
    return Learnt(activations, best[1], best[0], best[2])


def _network(values: int, classes: int, dropout: float, seed: int) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(seed, Purpose.INITIALISATION).initial_seed())
        return nn.Sequential(
            nn.Linear(values, HIDDEN), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HIDDEN, classes)
        )


@torch.no_grad()
def _apply(network: nn.Sequential, features: torch.Tensor) -> torch.Tensor:
    network.eval()
    found: torch.Tensor = network(features)
    return found
