"""One step of the optimizer: forward and backward passes over its micro-batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from training.errors import DataError
from training.model.layer_rates import RATE_SCALE
from training.recipe.loss import known_cross_entropy, taught_cross_entropy
from training.recipe.mixup import annotation_kinds, draw_mix
from training.recipe.randomness import Purpose, numpy_generator, torch_generator

from .batches import Batch

if TYPE_CHECKING:
    from training.config import Experiment
    from training.model.network import Predictions

    from .assembly import Parts


class TrainingStep:
    """Changes the weights by one step.

    What is drawn is keyed by epoch, step and micro-batch, not by process: two processes compute
    what one computes with twice as many micro-batches each.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts
    """

    def __init__(self, experiment: Experiment, parts: Parts) -> None:
        recipe = experiment.recipe
        self._parts = parts
        self._seed = experiment.run.seed
        self._alpha = recipe.augmentation.mixup_alpha
        self._partly_annotated = parts.data.store.partly_annotated
        self._clipping = recipe.gradient_clipping
        self._masking_weight = recipe.masking.weight
        self.passes = recipe.batch // (recipe.micro_batch * parts.fabric.world_size)

    def __call__(
        self, batches: Iterator[Batch], epoch: int, position: int, learning_rate: float
    ) -> Tensor:
        """Take one step.

        Parameters
        ----------
        batches : iterator
            Gives this process's micro-batches.
        epoch, position : int
            The epoch, and the step in it.
        learning_rate : float

        Returns
        -------
        Tensor
            [] float64, the mean loss of this process's micro-batches.
        """
        fabric, model = self._parts.fabric, self._parts.model
        for group in self._parts.stepper.param_groups:
            group["lr"] = learning_rate * group.get(RATE_SCALE, 1.0)
        total = torch.zeros((), dtype=torch.float64, device=fabric.device)
        for turn in range(self.passes):
            batch = next(batches, None)
            if batch is None:
                raise DataError(f"epoch {epoch}: no batch for step {position}")
            key = (epoch, position, turn * fabric.world_size + fabric.global_rank)
            with fabric.no_backward_sync(model, enabled=turn + 1 < self.passes):
                loss = self._loss(batch, key)
                fabric.backward(loss / self.passes)
            total += loss.detach()
        if self._clipping is not None:
            fabric.clip_gradients(model, self._parts.stepper, max_norm=self._clipping)
        self._parts.stepper.step()
        self._parts.stepper.zero_grad()
        return total / self.passes

    def _loss(self, batch: Batch, key: tuple[int, int, int]) -> Tensor:
        if self._alpha > 0.0:
            generator = numpy_generator(self._seed, Purpose.MIXUP, *key)
            # asked only where it can matter: it makes a GPU wait
            kinds = annotation_kinds(batch["targets"]) if self._partly_annotated else None
            mix = draw_mix(len(batch["mel"]), self._alpha, generator, kinds)
            names = [name for name in ("mel", "targets", "teacher") if name in batch]
            batch = {name: mix(batch[name]) for name in names}
        # Dropout of the baselines takes torch's global generator, and can take no other.
        torch.manual_seed(torch_generator(self._seed, Purpose.NETWORK, *key).initial_seed())
        predictions: Predictions = self._parts.model(
            batch["mel"], generator=torch_generator(self._seed, Purpose.PATCHOUT, *key)
        )
        loss = self._labels_loss(predictions, batch)
        if predictions.reconstruction is not None:
            loss = loss + self._masking_weight * predictions.reconstruction
        return loss

    @staticmethod
    def _labels_loss(predictions: Predictions, batch: Batch) -> Tensor:
        if predictions.teacher is None:
            return known_cross_entropy(predictions.logits, batch["targets"])
        return taught_cross_entropy(
            predictions.logits, batch["targets"], predictions.teacher, batch["teacher"]
        )
