"""Where a run is, with the sums that its next log row needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from training.errors import CheckpointError


@dataclass
class Position:
    """A position in a run; all of it goes into checkpoints.

    Attributes
    ----------
    epoch : int
        Epochs that are done, validation included.
    position : int
        Steps of the present epoch that are done.
    step : int
        Steps of all epochs that are done.
    loss_of_epoch, loss_of_row : float
        Sums of the steps' losses since the epoch and since the last row of log.csv began.
    steps_of_row : int
    best : float, optional
        Highest validation mAP of either set of weights so far: what patience waits for.
    best_epoch : int
        How many epochs were done then; 0 is the start, where that is validated.
    kept : float, optional
        Validation mAP of the weights in best.ckpt: the highest of those whose lead over the start
        counts (recipe.margin), else the start's.
    kept_epoch : int
        As `best_epoch`.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    loss_of_epoch: float = 0.0
    loss_of_row: float = 0.0
    steps_of_row: int = 0
    best: float | None = None
    best_epoch: int = 0
    kept: float | None = None
    kept_epoch: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether the weights of the epoch that has just ended are those of best.ckpt."""
        return self.position == 0 and self.kept is not None and self.epoch == self.kept_epoch

    @property
    def is_start(self) -> bool:
        """Whether nothing was done, not even a validation of the first weights."""
        return self.step == 0 and self.best is None

    def has_lost_patience(self, patience: int | None) -> bool:
        """Say whether so many epochs have gone by since the best."""
        if patience is None or self.best is None:
            return False
        return self.position == 0 and self.epoch - self.best_epoch >= patience

    def plain(self) -> dict[str, Any]:
        """Turn it into what a checkpoint keeps."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Position:
        """Make it from what a checkpoint kept."""
        names = {item.name for item in fields(cls)}
        if "kept" not in values:
            # Of an earlier version, where the highest was kept.
            best = {"kept": values.get("best"), "kept_epoch": values.get("best_epoch")}
            values = {**values, **best}
        if values.keys() != names:
            raise CheckpointError(f"progress of {sorted(values)}, wanted {sorted(names)}")
        return cls(**values)
