"""Muon (Jordan and others, 2024): momentum made orthogonal for matrices, AdamW for the rest."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Jordan's: steep at 0, so that few iterations bring all singular values to between 0.7 and 1.2.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_MOMENTUM = 0.95
_ADAM_BETAS = (0.9, 0.99)
# The root mean square of Adam's changes, in learning rates (Liu and others, arXiv:2502.16982).
_SIZE_OF_CHANGES = 0.2
_SMALLEST = 1e-7


class Muon(torch.optim.AdamW):
    """Change weight matrices by as much in every direction, other parameters as AdamW does.

    Parameters
    ----------
    matrices : iterable of nn.Parameter
        Weights [outputs, inputs] of hidden linear layers.
    stacked : iterable of nn.Parameter
        The same, of several layers stacked [layers * inputs, inputs]: query, key and value.
    others : iterable of nn.Parameter
        Embeddings, norms, biases, heads.
    lr : float
        Of all: changes of matrices are given the size that Adam's have.
    weight_decay : float
        Of all, decoupled.

    Notes
    -----
    `torch.optim.Muon` iterates in bfloat16, which takes a CPU that lacks it three times as long as
    the rest of a step; it also knows no stacked matrices.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        stacked: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
    ) -> None:
        groups: list[dict[str, Any]] = [
            {"params": list(matrices), "orthogonal": True, "stacked": False},
            {"params": list(stacked), "orthogonal": True, "stacked": True},
            {"params": list(others), "orthogonal": False, "stacked": False},
        ]
        groups = [group for group in groups if group["params"]]
        super().__init__(groups, lr=lr, betas=_ADAM_BETAS, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step; uses up the gradients of matrices."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["orthogonal"]:
                self._step_matrices(group)
        # Parameters without a gradient are passed by: only the others are left.
        super().step()
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        batches: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            direction = self._momentum(parameter)
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            layers = direction.shape[0] // direction.shape[1] if group["stacked"] else 1
            for part, weights in zip(direction.chunk(layers), parameter.chunk(layers), strict=True):
                # on its side where it is higher than wide: such share a batch
                flat = part.shape[0] <= part.shape[1]
                pair = (part, weights) if flat else (part.mT, weights.mT)
                batches[pair[0].shape].append(pair)
            parameter.grad = None
        for (rows, columns), pairs in batches.items():
            size = group["lr"] * _SIZE_OF_CHANGES * math.sqrt(max(rows, columns))
            changes = orthogonalised(torch.stack([direction for direction, _ in pairs]))
            for change, (_, weights) in zip(changes, pairs, strict=True):
                weights.sub_(change, alpha=size)

    def _momentum(self, parameter: nn.Parameter) -> Tensor:
        """Add the gradient to what came before, and look one step ahead (Nesterov)."""
        state = self.state[parameter]
        if not state:
            # AdamW wants to find a count of steps when a state is loaded.
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(parameter)
        state["step"] += 1
        gradient, momentum = parameter.grad, state["momentum"]
        assert gradient is not None
        momentum.lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(momentum, _MOMENTUM)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values near 1, and keep the singular vectors.

    Parameters
    ----------
    matrices : Tensor [matrices, rows, columns]
        With as many columns as rows, or more.

    Returns
    -------
    Tensor [matrices, rows, columns]
        Singular values between 0.7 and 1.2, but for those that were next to nothing.
    """
    first, third, fifth = _COEFFICIENTS
    size = torch.linalg.matrix_norm(matrices, keepdim=True)
    found: Tensor = matrices / size.clamp(min=_SMALLEST)
    for _ in range(_ITERATIONS):
        square = found @ found.mT
        polynomial = torch.baddbmm(square, square, square, beta=third, alpha=fifth)
        found = torch.baddbmm(found, polynomial, found, beta=first)
    return found
