"""Patchout given as an object, where the paper's short names do not say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import InvalidArgumentError

#: What the engine takes: a name, or kept rows and the time stride.
EnginePatchout = str | tuple[list[int], int]


@dataclass(frozen=True)
class Patchout:
    """Explicit choice of the patches that the model is given.

    Parameters
    ----------
    rows : sequence of int
        Patch rows (frequency) to keep, ascending, counted from 0 at the lowest bands. Row r covers
        mel bands 10 r to 10 r + 15. Public models have rows 0 to 8.
    stride : int, default 1
        One of every `stride` patch columns (time) is kept, the first always.

    See Also
    --------
    Model.predict : its `patchout` also takes names, "F3T5": section 4.5 of the paper.
    """

    rows: Sequence[int]
    stride: int = 1


def engine_patchout(patchout: str | Patchout) -> EnginePatchout:
    """Return `patchout` as the engine takes it; the engine checks it against the model."""
    if isinstance(patchout, str):
        return patchout
    if isinstance(patchout, Patchout):
        rows = [int(row) for row in patchout.rows]
        if not rows:
            raise InvalidArgumentError("patchout keeps no patch row; at least one is wanted")
        return rows, int(patchout.stride)
    raise InvalidArgumentError(
        f"patchout is a {type(patchout).__name__}; wanted is a name such as 'F3T5' or a Patchout"
    )
