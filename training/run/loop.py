"""The training loop: epochs of steps, then averaging, validation, logs and checkpoints."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from training.data.segments import TrainingSegments
from training.errors import TrainingError
from training.recipe.metrics import Scores
from training.recipe.schedule import learning_rate

from .batches import Batch, make_loader, micro_batches, read_batches
from .checkpoint import Checkpoint, link_checkpoint, save_checkpoint
from .config_file import plain
from .normalisation import measure_statistics
from .progress import Progress
from .scoring import LAST, announce, score_weights, scores_row
from .signals import StoppedError, StopRequest
from .step import TrainingStep

if TYPE_CHECKING:
    from training.config import Experiment

    from .experiment import Parts
    from .folder import RunFolder
    from .logs import Logs

_log = logging.getLogger("training")
_GO_ON, _SAVE, _STOP = 0, 1, 1000


class Loop:
    """Runs an experiment from where its progress stands to its end.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts
    folder : RunFolder
    logs : Logs, optional
        Of the process that writes; None in the others.
    stop : StopRequest
    """

    def __init__(
        self,
        experiment: Experiment,
        parts: Parts,
        folder: RunFolder,
        logs: Logs | None,
        stop: StopRequest,
    ) -> None:
        self._experiment = experiment
        self._parts = parts
        self._folder = folder
        self._logs = logs
        self._stop = stop
        self._step = TrainingStep(experiment, parts)
        self._steps = parts.data.steps(experiment.recipe)
        self._progress = Progress()
        self._saved = time.monotonic()
        zero = torch.zeros((), dtype=torch.float64, device=parts.fabric.device)
        self._loss_of_epoch, self._loss_of_row = zero.clone(), zero.clone()

    def load(self, checkpoint: Checkpoint) -> None:
        """Take over all but the network's weights from a checkpoint."""
        parts = self._parts
        parts.optimizer.load_state_dict(checkpoint.optimizer)
        if checkpoint.averaged is not None:
            parts.average.load(checkpoint.averaged, checkpoint.averaged_models)
        parts.fabric.strategy.precision.load_state_dict(checkpoint.precision)
        self._progress = Progress.of(checkpoint.progress)
        self._loss_of_epoch.fill_(self._progress.loss_of_epoch)
        self._loss_of_row.fill_(self._progress.loss_of_row)
        if self._writes and self._progress.is_best:
            # A kill may have come between the checkpoint and its second name.
            link_checkpoint(self._folder.last, self._folder.best)

    def run(self) -> None:
        """Train to the last epoch.

        Raises
        ------
        StoppedError
            A signal asked to end; `last.ckpt` has all that was done.
        TrainingError
            The loss is no longer a number.
        """
        while self._progress.epoch < self._experiment.recipe.epochs:
            self._parts.network.train()
            began = time.monotonic()
            self._train_epoch()
            trained = time.monotonic() - began
            self._finish_epoch(trained)
        if self._writes:
            link_checkpoint(self._folder.last, self._folder.final)

    @property
    def _writes(self) -> bool:
        return self._parts.fabric.is_global_zero

    def _train_epoch(self) -> None:
        with self._batches() as batches:
            self._take_steps(batches)

    def _take_steps(self, batches: Iterator[Batch]) -> None:
        progress, recipe = self._progress, self._experiment.recipe
        self._row_began, self._row_steps = time.monotonic(), 0
        for position in self._shown(range(progress.position, self._steps)):
            rate = learning_rate(progress.epoch + position / self._steps, recipe.schedule)
            loss = self._step(batches, progress.epoch, position, rate)
            self._loss_of_epoch += loss
            self._loss_of_row += loss
            progress.position += 1
            progress.step += 1
            progress.steps_of_row += 1
            self._row_steps += 1
            if progress.step % self._experiment.run.log_every == 0:
                self._write_row(rate)
            self._answer_requests()

    def _shown(self, positions: range) -> Iterable[int]:
        """Draw a progress bar, on a terminal."""
        return track(
            positions,
            description=f"epoch {self._progress.epoch + 1}",
            console=Console(stderr=True),
            # No thread of its own: reading processes are forked while it is there.
            auto_refresh=False,
            transient=True,
            disable=not (self._writes and sys.stderr.isatty()),
        )

    def _batches(self) -> AbstractContextManager[Iterator[Batch]]:
        progress, recipe, fabric = self._progress, self._experiment.recipe, self._parts.fabric
        positions = micro_batches(
            range(progress.position, self._steps),
            recipe.batch,
            recipe.micro_batch,
            fabric.global_rank,
            fabric.world_size,
        )
        workers = self._experiment.data.workers
        loader = make_loader(self._segments(augmented=True), positions, workers, fabric.device)
        return read_batches(loader, fabric.device)

    def _segments(self, *, augmented: bool) -> TrainingSegments:
        parts, seed, epoch = self._parts, self._experiment.run.seed, self._progress.epoch
        return TrainingSegments(
            parts.data.store,
            parts.data.order(epoch, self._experiment.recipe, seed),
            segment_frames=parts.frames,
            seed=seed,
            epoch=epoch,
            augment=parts.augment if augmented else None,
            teacher=parts.teacher if augmented else None,
        )

    def _mean_over_processes(self, value: Tensor) -> float:
        mean: Any = self._parts.fabric.all_reduce(value.clone(), reduce_op="mean")
        return float(mean)

    def _write_row(self, rate: float) -> None:
        progress = self._progress
        loss = self._mean_over_processes(self._loss_of_row) / progress.steps_of_row
        self._check(loss)
        seconds = time.monotonic() - self._row_began
        if self._logs is not None:
            self._logs.step(
                {
                    "epoch": progress.epoch + 1,
                    "step": progress.step,
                    "loss": loss,
                    "learning_rate": rate,
                    "seconds": seconds,
                    "tracks_per_second": self._row_steps * self._experiment.recipe.batch / seconds,
                }
            )
        self._loss_of_row.zero_()
        progress.steps_of_row = 0
        self._row_began, self._row_steps = time.monotonic(), 0

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} by step {self._progress.step} (epoch "
                f"{self._progress.epoch + 1}); try a lower recipe.schedule.peak, "
                "recipe.gradient_clipping, or run.precision 32-true"
            )

    def _answer_requests(self) -> None:
        """Write a checkpoint when it is time or a signal came; all processes agree on it."""
        request = _GO_ON
        if time.monotonic() - self._saved >= 60.0 * self._experiment.run.checkpoint_minutes:
            request = _SAVE
        if self._stop.signal:
            request = _STOP + self._stop.signal
        fabric = self._parts.fabric
        if fabric.world_size > 1:
            requests: Any = fabric.all_gather(torch.tensor(request, device=fabric.device))
            request = int(requests.max())
        if request != _GO_ON:
            self._save()
        if request >= _STOP:
            self._end(request - _STOP)

    def _end(self, number: int) -> None:
        raise StoppedError(
            number,
            f"stopped after step {self._progress.step}, in epoch {self._progress.epoch + 1}; "
            f"{self._folder.last} has it all, --resume goes on",
        )

    def _finish_epoch(self, train_seconds: float) -> None:
        progress, average = self._progress, self._parts.average
        train_loss = self._mean_over_processes(self._loss_of_epoch) / self._steps
        self._check(train_loss)
        done = progress.epoch + 1
        if average.update(done):
            segments = self._segments(augmented=False)
            measure_statistics(self._experiment, self._parts, segments, progress.epoch)
        began = time.monotonic()
        scores = {}
        if (
            done % self._experiment.run.validate_every == 0
            or done == self._experiment.recipe.epochs
        ):
            scores = score_weights(self._experiment, self._parts, self._answer_requests)
        if self._logs is not None:
            self._logs.epoch(
                {
                    "epoch": done,
                    "step": progress.step,
                    "learning_rate": learning_rate(done, self._experiment.recipe.schedule),
                    "train_loss": train_loss,
                    "averaged_models": average.models,
                    **scores_row(scores),
                    "train_seconds": train_seconds,
                    "validation_seconds": time.monotonic() - began,
                }
            )
            announce(done, self._experiment.recipe.epochs, train_loss, scores)
            self._note_skipped(scores)
        self._note_best(scores)
        progress.epoch, progress.position = done, 0
        self._loss_of_epoch.zero_()
        self._save()
        if self._writes and progress.is_best:
            link_checkpoint(self._folder.last, self._folder.best)

    def _note_skipped(self, scores: dict[str, Scores]) -> None:
        skipped = scores[LAST].skipped if scores else {}
        # The split does not change: once is enough.
        if self._progress.best is None and skipped:
            _log.warning("%d classes cannot be scored; see %s", len(skipped), self._folder.report)
            self._folder.note(classes_not_scored=skipped)

    def _note_best(self, scores: dict[str, Scores]) -> None:
        found = [s.mean_average_precision for s in scores.values()]
        best = max((value for value in found if not math.isnan(value)), default=None)
        if best is not None and (self._progress.best is None or best > self._progress.best):
            self._progress.best, self._progress.best_epoch = best, self._progress.epoch + 1

    def _save(self) -> None:
        progress = replace(
            self._progress,
            loss_of_epoch=self._mean_over_processes(self._loss_of_epoch),
            loss_of_row=self._mean_over_processes(self._loss_of_row),
        )
        if self._writes:
            if self._logs is not None:
                self._logs.flush()
            save_checkpoint(self._folder.last, self._checkpoint(progress))
        self._saved = time.monotonic()

    def _checkpoint(self, progress: Progress) -> Checkpoint:
        parts, store = self._parts, self._parts.data.store
        averaged = parts.average.network
        return Checkpoint(
            config=plain(self._experiment),
            classes=list(store.classes),
            mean=store.mean,
            std=store.std,
            dataset=str(Path(store.folder).resolve()),
            network=parts.network.state_dict(),
            averaged=None if averaged is None else averaged.state_dict(),
            averaged_models=parts.average.models,
            optimizer=parts.optimizer.state_dict(),
            progress=progress.plain(),
            random_state={"seed": self._experiment.run.seed},
            precision=dict(parts.fabric.strategy.precision.state_dict()),
        )
