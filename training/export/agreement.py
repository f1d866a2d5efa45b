"""How far an exported model is from the network it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import ExportError

TOLERANCE = 1e-4
"""Largest difference of a float32 export, relative to the largest value of the output."""

Outputs = Mapping[str, NDArray[np.float32]]
"""Outputs of one segment by name, each a vector; `activations` is always one of them."""


@dataclass(frozen=True)
class Agreement:
    """Two models over the same segments.

    Parameters
    ----------
    segments : int
    relative : float
        Largest difference of a value, as a share of the largest value of its output and segment.
    cosine : float
        Smallest cosine between two outputs of the same segment.
    same_top : float
        Share of the segments with the same strongest class.
    """

    segments: int
    relative: float
    cosine: float
    same_top: float

    def __str__(self) -> str:
        """Tell it in one line."""
        return (
            f"largest difference {self.relative:.1e} of the largest value, smallest cosine "
            f"{self.cosine:.5f}, same strongest class in {self.same_top:.0%} of {self.segments} "
            "segments"
        )


def compare(pairs: Iterable[tuple[Outputs, Outputs]]) -> Agreement:
    """Compare an exported model's outputs with the trained network's.

    Parameters
    ----------
    pairs : iterable of (Outputs, Outputs)
        For each segment, the exported model's and the network's.

    Raises
    ------
    ExportError
        If there is no segment, or an output has another shape or is not finite.
    """
    relative, cosine, same = 0.0, 1.0, []
    for found, wanted in pairs:
        for name, theirs in wanted.items():
            ours = found[name]
            if ours.shape != theirs.shape:
                raise ExportError(
                    f"{name}: the exported model gives {list(ours.shape)} values, the network "
                    f"{list(theirs.shape)}"
                )
            if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
                raise ExportError(f"{name}: the exported model or the network gives NaN")
            a, b = ours.astype(np.float64), theirs.astype(np.float64)
            largest = max(np.abs(b).max(), np.finfo(np.float32).tiny)
            relative = max(relative, float(np.abs(a - b).max() / largest))
            norms = max(np.linalg.norm(a) * np.linalg.norm(b), np.finfo(np.float32).tiny)
            cosine = min(cosine, float(a @ b / norms))
        same.append(int(found["activations"].argmax()) == int(wanted["activations"].argmax()))
    if not same:
        raise ExportError("no audio to compare the exported model with the network on")
    return Agreement(len(same), relative, cosine, float(np.mean(same)))


def check(agreement: Agreement) -> None:
    """Refuse a float32 export that does not do what the network does.

    Raises
    ------
    ExportError
        If the difference is past `TOLERANCE`.
    """
    if agreement.relative > TOLERANCE:
        raise ExportError(
            f"the exported model differs from the trained network: {agreement}; at most "
            f"{TOLERANCE:g} is allowed. Nothing was written"
        )
