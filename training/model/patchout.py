"""Which patches a training step keeps: patchout as in PaSST (paper, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from training.config import PatchoutConfig
from training.errors import ConfigError


def check_patchout(rows: int, columns: int, patchout: PatchoutConfig) -> None:
    """Check that patchout leaves something of a patch grid.

    Parameters
    ----------
    rows, columns : int
        The patch grid (frequency, time).
    patchout : PatchoutConfig

    Raises
    ------
    ConfigError
        If a count is negative, or nothing is left.
    """
    kept_rows, kept_columns = rows - patchout.frequency, columns - patchout.time
    if min(patchout.frequency, patchout.time, patchout.unstructured) < 0:
        raise ConfigError(f"{patchout}: wanted counts of 0 or more")
    if kept_rows < 1 or kept_columns < 1:
        raise ConfigError(
            f"{patchout} drops every patch of a grid of {rows} rows (frequency) and {columns} "
            "columns (time); wanted at least one row and one column left"
        )
    if patchout.unstructured >= kept_rows * kept_columns:
        raise ConfigError(
            f"{patchout} drops {patchout.unstructured} single patches, but only "
            f"{kept_rows * kept_columns} are left of {rows} rows (frequency) and {columns} columns "
            "(time)"
        )


def draw_kept(
    rows: int, columns: int, patchout: PatchoutConfig, generator: torch.Generator
) -> Tensor:
    """Draw the patches that one training step keeps, the same for the whole batch.

    Parameters
    ----------
    rows, columns : int
        The patch grid (frequency, time).
    patchout : PatchoutConfig
        How many rows, columns, and then single patches are dropped.
    generator : torch.Generator
        Of the CPU.

    Returns
    -------
    Tensor of int64 [kept]
        Indices in the row-major grid, ascending.

    Raises
    ------
    ConfigError
        If a count is negative, or nothing is left.
    """
    check_patchout(rows, columns, patchout)
    kept_columns = _draw(columns, patchout.time, generator)
    kept_rows = _draw(rows, patchout.frequency, generator)
    kept = (kept_rows[:, None] * columns + kept_columns).flatten()
    return kept[_draw(len(kept), patchout.unstructured, generator)]


def _draw(count: int, dropped: int, generator: torch.Generator) -> Tensor:
    """Draw what is left of the numbers below `count`, ascending."""
    if not dropped:
        return torch.arange(count)
    return torch.randperm(count, generator=generator)[dropped:].sort().values
