"""The logs of a run: two CSV files and TensorBoard, cut back to the checkpoint on resume."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from essentia_maest.files import written_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from .trackers import Tracker

STEPS, EPOCHS = "log.csv", "epochs.csv"
STEP_COLUMNS = ("epoch", "step", "loss", "learning_rate", "seconds", "tracks_per_second")
EPOCH_COLUMNS = (
    "epoch",
    "step",
    "learning_rate",
    "train_loss",
    "loss",
    "mean_average_precision",
    "roc_auc",
    "averaged_models",
    "averaged_loss",
    "averaged_mean_average_precision",
    "averaged_roc_auc",
    "classes_scored",
    "classes_skipped",
    "train_seconds",
    "validation_seconds",
)
# The rest is the same in a run that was interrupted and one that was not.
TIMING_COLUMNS = ("seconds", "tracks_per_second", "train_seconds", "validation_seconds")

Row = Mapping[str, float | int | None]


class Logs:
    """Writes what a run tells as it goes.

    Parameters
    ----------
    folder : Path
        The run's.
    step, epoch : int
        Optimizer steps and whole epochs done: rows of later ones are removed, they will be written
        again.
    tracker : Tracker, optional
        Is told what TensorBoard is told.
    """

    def __init__(
        self, folder: Path, *, step: int = 0, epoch: int = 0, tracker: Tracker | None = None
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._steps = _CsvLog(folder / STEPS, STEP_COLUMNS, "step", step)
        self._epochs = _CsvLog(folder / EPOCHS, EPOCH_COLUMNS, "epoch", epoch)
        self._tracker = tracker
        self._board: SummaryWriter = SummaryWriter(
            str(folder / "tensorboard"), purge_step=step + 1 if step else None
        )

    def step(self, row: Row) -> None:
        """Write a row of `STEP_COLUMNS`."""
        self._steps.write(row)
        self._scalars("train", row, ("loss", "learning_rate", "tracks_per_second"))

    def epoch(self, row: Row) -> None:
        """Write a row of `EPOCH_COLUMNS`."""
        self._epochs.write(row)
        self._scalars("epoch", row, EPOCH_COLUMNS[3:])

    def flush(self) -> None:
        """Bring all rows to the disk, so that no checkpoint is ahead of its logs."""
        self._steps.flush()
        self._epochs.flush()
        self._board.flush()

    def close(self, *, done: bool = True) -> None:
        """Flush and close; further rows are not possible. `done`: the run came to its end."""
        self._steps.close()
        self._epochs.close()
        self._board.close()
        if self._tracker is not None:
            self._tracker.close(done=done)

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self.close(done=kind is None)

    def _scalars(self, group: str, row: Row, names: tuple[str, ...]) -> None:
        step = int(row["step"] or 0)
        told = {f"{group}/{name}": value for name in names if (value := row.get(name)) is not None}
        for name, value in told.items():
            self._board.add_scalar(name, value, step)
        if self._tracker is not None and told:
            self._tracker.scalars(told, step)


class _CsvLog:
    def __init__(self, path: Path, columns: tuple[str, ...], key: str, last: int) -> None:
        kept = [row for row in read_rows(path) if row[key] <= last] if path.exists() else []
        with written_whole(path) as place, place.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows({name: _text(row[name]) for name in columns} for row in kept)
        self._file: IO[str] = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, columns, lineterminator="\n")

    def write(self, row: Row) -> None:
        self._writer.writerow({name: _text(value) for name, value in row.items()})
        self._file.flush()

    def flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def _text(value: float | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    # 9 digits say all that float32 has.
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read a log; an empty field is NaN, and a row that was cut short by a kill is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = file.read().split("\n")
    # What follows the last line break was not written to its end.
    rows = csv.DictReader(lines[:-1])
    return [{name: _number(value) for name, value in row.items()} for row in rows]


def _number(text: str) -> float | int:
    if not text:
        return math.nan
    try:
        return int(text)
    except ValueError:
        return float(text)
