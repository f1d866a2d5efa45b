"""The training loop: epochs of steps, then averaging, validation, logs and checkpoints."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from essentia_maest.progress import ProgressDisplay
from training.data.places import is_remote
from training.data.segments import TrainingSegments
from training.errors import StoppedError, TrainingError
from training.recipe.metrics import Scores
from training.recipe.schedule import learning_rate

from .batch_statistics import measure_statistics
from .batches import Batch, make_loader, micro_batches, read_batches
from .checkpoint import Checkpoint, link_checkpoint, save_checkpoint
from .config_file import plain
from .lead import FirstWeights, announce_lead
from .position import Position
from .scoring import LAST, Validation, announce, announce_start, minutes, scores_row
from .signals import StopRequest
from .step import TrainingStep

if TYPE_CHECKING:
    from training.config import Experiment

    from .assembly import Parts
    from .folder import RunFolder
    from .logs import Logs, Row

_log = logging.getLogger("training")
_GO_ON, _SAVE, _STOP = 0, 1, 1000


class Loop:
    """Runs an experiment from where its position is to its end.

    Parameters
    ----------
    experiment : Experiment
    parts : Parts
    folder : RunFolder
    logs : Logs, optional
        Of the process that writes; None in the others.
    stop : StopRequest
    first : FirstWeights
        Where patience is set, what epochs must be better than.
    """

    def __init__(
        self,
        experiment: Experiment,
        parts: Parts,
        folder: RunFolder,
        logs: Logs | None,
        stop: StopRequest,
        *,
        first: FirstWeights,
    ) -> None:
        self._experiment = experiment
        self._parts = parts
        self._folder = folder
        self._logs = logs
        self._stop = stop
        self._first = first
        self._step = TrainingStep(experiment, parts)
        self._validation = Validation(experiment, parts)
        self._began, self._steps_here = time.monotonic(), 0
        self._steps = parts.data.steps(experiment.recipe)
        self._position = Position()
        self._saved = time.monotonic()
        zero = torch.zeros((), dtype=torch.float64, device=parts.fabric.device)
        self._loss_of_epoch, self._loss_of_row = zero.clone(), zero.clone()

    def load(self, checkpoint: Checkpoint) -> None:
        """Take over all but the network's weights from a checkpoint."""
        parts = self._parts
        parts.optimizer.load_state_dict(checkpoint.optimizer)
        if parts.masked is not None and checkpoint.masked is not None:
            parts.masked.load_own(checkpoint.masked)
        if checkpoint.averaged is not None:
            parts.average.load(checkpoint.averaged, checkpoint.averaged_models)
        parts.fabric.strategy.precision.load_state_dict(checkpoint.precision)
        self._position = Position.of(checkpoint.progress)
        self._first.logits = checkpoint.start
        self._loss_of_epoch.fill_(self._position.loss_of_epoch)
        self._loss_of_row.fill_(self._position.loss_of_row)
        if self._writes and self._position.is_kept:
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
        if self._position.is_start and self._experiment.recipe.patience is not None:
            self._validate_start()
        while not self._is_done():
            self._parts.network.train()
            began = time.monotonic()
            self._train_epoch()
            trained = time.monotonic() - began
            self._finish_epoch(trained)
        if self._writes:
            link_checkpoint(self._best_or_last(), self._folder.final)

    def _is_done(self) -> bool:
        at, recipe = self._position, self._experiment.recipe
        if at.epoch >= recipe.epochs:
            return True
        # Only the first process has scores.
        lost: Any = self._parts.fabric.broadcast(at.has_lost_patience(recipe.patience))
        if lost and self._writes:
            _log.info(
                "ended after epoch %d: no better validation mAP since %s (recipe.patience)",
                at.epoch,
                f"epoch {at.best_epoch}" if at.best_epoch else "the start",
            )
        return bool(lost)

    def _best_or_last(self) -> Path:
        if self._experiment.recipe.patience is not None and self._folder.best.exists():
            return self._folder.best
        return self._folder.last

    @property
    def _writes(self) -> bool:
        return self._parts.fabric.is_global_zero

    def _train_epoch(self) -> None:
        with self._batches() as batches:
            self._take_steps(batches)

    def _take_steps(self, batches: Iterator[Batch]) -> None:
        at, recipe = self._position, self._experiment.recipe
        self._row_began, self._row_steps = time.monotonic(), 0
        for position in self._shown(range(at.position, self._steps)):
            rate = learning_rate(at.epoch + position / self._steps, recipe.schedule)
            loss = self._step(batches, at.epoch, position, rate)
            self._loss_of_epoch += loss
            self._loss_of_row += loss
            at.position += 1
            at.step += 1
            at.steps_of_row += 1
            self._row_steps += 1
            self._steps_here += 1
            if at.step % self._experiment.run.log_every == 0:
                self._write_row(rate)
            self._answer_requests()

    def _shown(self, positions: range) -> Iterator[int]:
        """Give the positions, and show how far they are, and the whole run."""
        title = f"epoch {self._position.epoch + 1} of {self._experiment.recipe.epochs}"
        with ProgressDisplay(
            title, len(positions), unit="steps", silent=not self._writes, forks=True, transient=True
        ) as display:
            for position in positions:
                yield position
                left = self._seconds_left()
                display.advance(note="" if left is None else f"{minutes(left)} left in all")

    def _seconds_left(self) -> float | None:
        """Guess the rest of the run by the steps that this process did, validations among them.

        None where it did none: the run was resumed at a validation.
        """
        if self._steps_here == 0:
            return None
        each = (time.monotonic() - self._began) / self._steps_here
        return each * (self._experiment.recipe.epochs * self._steps - self._position.step)

    def _batches(self) -> AbstractContextManager[Iterator[Batch]]:
        at, recipe, fabric = self._position, self._experiment.recipe, self._parts.fabric
        positions = micro_batches(
            range(at.position, self._steps),
            recipe.batch,
            recipe.micro_batch,
            fabric.global_rank,
            fabric.world_size,
        )
        workers = self._experiment.data.workers
        loader = make_loader(self._segments(augmented=True), positions, workers, fabric.device)
        return read_batches(loader, fabric.device)

    def _segments(self, *, augmented: bool) -> TrainingSegments:
        parts, seed, epoch = self._parts, self._experiment.run.seed, self._position.epoch
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
        at = self._position
        loss = self._mean_over_processes(self._loss_of_row) / at.steps_of_row
        self._check(loss)
        seconds = time.monotonic() - self._row_began
        if self._logs is not None:
            self._logs.step(
                {
                    "epoch": at.epoch + 1,
                    "step": at.step,
                    "loss": loss,
                    "learning_rate": rate,
                    "seconds": seconds,
                    "tracks_per_second": self._row_steps * self._experiment.recipe.batch / seconds,
                }
            )
        self._loss_of_row.zero_()
        at.steps_of_row = 0
        self._row_began, self._row_steps = time.monotonic(), 0

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} by step {self._position.step} (epoch "
                f"{self._position.epoch + 1}); try a lower recipe.schedule.peak, "
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
            f"stopped after step {self._position.step}, in epoch {self._position.epoch + 1}; "
            f"{self._folder.last} has it all, --resume goes on",
        )

    def _validate_start(self) -> None:
        """Let the first weights compete with those of every epoch."""
        if len(self._parts.validation) == 0:
            return
        began = time.monotonic()
        scores = self._validation(self._answer_requests)
        if self._logs is not None:
            self._logs.epoch(self._row(0, None, scores, 0.0, began))
            announce_start(scores)
            self._note_skipped(scores)
        self._note_best(scores, 0)
        self._first.logits = self._validation.logits.get(LAST)
        self._save_epoch()
        self._began = time.monotonic()

    def _row(
        self,
        epoch: int,
        train_loss: float | None,
        scores: dict[str, Scores],
        train_seconds: float,
        validation_began: float,
    ) -> Row:
        return {
            "epoch": epoch,
            "step": self._position.step,
            "learning_rate": learning_rate(epoch, self._experiment.recipe.schedule),
            "train_loss": train_loss,
            "averaged_models": self._parts.average.models,
            **scores_row(scores),
            "train_seconds": train_seconds,
            "validation_seconds": time.monotonic() - validation_began,
        }

    def _finish_epoch(self, train_seconds: float) -> None:
        at, average = self._position, self._parts.average
        train_loss = self._mean_over_processes(self._loss_of_epoch) / self._steps
        self._check(train_loss)
        done = at.epoch + 1
        if average.update(done):
            segments = self._segments(augmented=False)
            measure_statistics(self._experiment, self._parts, segments, at.epoch)
        began = time.monotonic()
        scores = {}
        if (
            done % self._experiment.run.validate_every == 0
            or done == self._experiment.recipe.epochs
        ):
            scores = self._validation(self._answer_requests)
        if self._logs is not None:
            self._logs.epoch(self._row(done, train_loss, scores, train_seconds, began))
            left = self._seconds_left()
            announce(done, self._experiment.recipe.epochs, train_loss, scores, left)
            self._note_skipped(scores)
        self._note_best(scores, done)
        at.epoch, at.position = done, 0
        self._loss_of_epoch.zero_()
        self._save_epoch()

    def _save_epoch(self) -> None:
        self._save()
        if self._writes and self._position.is_kept:
            link_checkpoint(self._folder.last, self._folder.best)

    def _note_skipped(self, scores: dict[str, Scores]) -> None:
        skipped = scores[LAST].skipped if scores else {}
        # The split does not change: once is enough.
        if self._position.best is None and skipped:
            _log.warning("%d classes cannot be scored; see %s", len(skipped), self._folder.report)
            self._folder.note(classes_not_scored=skipped)

    def _note_best(self, scores: dict[str, Scores], epoch: int) -> None:
        at = self._position
        found = {name: one.mean_average_precision for name, one in scores.items()}
        found = {name: value for name, value in found.items() if not math.isnan(value)}
        if not found:
            return
        best = max(found.values())
        if at.best is None or best > at.best:
            at.best, at.best_epoch = best, epoch
        for name in sorted(found, key=found.__getitem__, reverse=True):
            if (at.kept is None or found[name] > at.kept) and self._counts(name, epoch):
                at.kept, at.kept_epoch = found[name], epoch

    def _counts(self, weights: str, epoch: int) -> bool:
        """Say whether an epoch's lead over the first weights is more than chance, and tell it."""
        # What was not scored anew counted, or did not, when it was.
        logits = self._validation.logits.get(weights)
        if self._first.logits is None or logits is None:
            return self._first.logits is None
        lead = self._first.lead(logits, self._validation.targets)
        margin = self._experiment.recipe.margin
        counts = lead.is_more_than(margin)
        if margin > 0:
            announce_lead(epoch, lead, margin, epoch if counts else self._position.kept_epoch)
        return counts

    def _save(self) -> None:
        at = replace(
            self._position,
            loss_of_epoch=self._mean_over_processes(self._loss_of_epoch),
            loss_of_row=self._mean_over_processes(self._loss_of_row),
        )
        if self._writes:
            if self._logs is not None:
                self._logs.flush()
            save_checkpoint(self._folder.last, self._checkpoint(at))
        self._saved = time.monotonic()

    def _checkpoint(self, at: Position) -> Checkpoint:
        parts, store = self._parts, self._parts.data.store
        averaged = parts.average.network
        return Checkpoint(
            config=plain(self._experiment),
            classes=list(store.classes),
            mean=store.mean,
            std=store.std,
            dataset_normalisation=list(store.own_normalisation),
            dataset=str(store.folder if is_remote(store.folder) else store.folder.resolve()),
            network=parts.network.state_dict(),
            averaged=None if averaged is None else averaged.state_dict(),
            averaged_models=parts.average.models,
            masked=None if parts.masked is None else parts.masked.own(),
            start=self._first.logits,
            optimizer=parts.optimizer.state_dict(),
            progress=at.plain(),
            random_state={"seed": self._experiment.run.seed},
            precision=dict(parts.fabric.strategy.precision.state_dict()),
        )
