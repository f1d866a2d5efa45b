"""Training from its beginning, or from where it was interrupted, to its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, nullcontext

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray

from training.config import Experiment
from training.data.store import SpectrogramStore
from training.errors import CheckpointError, ConfigError, TrainingError
from training.model.network import Network

from .assembly import Parts, assemble, initial_weights, make_fabric, make_network
from .checkpoint import Checkpoint, load_checkpoint
from .config_file import plain
from .folder import RunFolder
from .lead import FirstWeights
from .logs import Logs
from .loop import Loop
from .position import Position
from .signals import StopRequest
from .trackers import open_tracker

_log = logging.getLogger("training")


def fit(
    experiment: Experiment, *, resume: bool = False, groups: NDArray[np.int64] | None = None
) -> None:
    """Train a network.

    Parameters
    ----------
    experiment : Experiment
    resume : bool
        Go on with the run in `experiment.run.folder`: from its last checkpoint, as if it had never
        stopped. A run that has none yet begins.
    groups : ndarray of int64 [tracks of the data set], optional
        Tracks that belong together, for recipe.margin; by default each is by itself.

    Raises
    ------
    TrainingError
        ConfigError, DataError or CheckpointError: the experiment cannot be run, or not resumed.
    StoppedError
        A signal asked to end.

    Notes
    -----
    On one CPU process the weights of a resumed run equal those of an uninterrupted one bit for
    bit. Several processes and GPUs add up gradients in an order that may vary.
    """
    fabric = make_fabric(experiment.run)
    fabric.launch()
    folder = RunFolder(experiment.run.folder)
    # All that can be wrong comes up before the folder is made: a failure leaves none behind.
    store = SpectrogramStore(experiment.data.dataset)
    network = make_network(experiment, len(store.classes))
    notes = [] if folder.last.exists() else _start(experiment, network, store)
    parts = assemble(experiment, fabric, store, network)
    with ExitStack() as held:
        opened = folder.opened(experiment, resume=resume)
        _in_first_process(fabric, lambda: held.enter_context(opened))
        _train(experiment, parts, folder, notes, groups)


def _start(experiment: Experiment, network: Network, store: SpectrogramStore) -> list[str]:
    """Load the first weights, and normalise as they want it; gives notes."""
    start = initial_weights(experiment, network, store.classes)
    if start.normalisation is None:
        return start.notes
    theirs, own = (
        f"mean {mean:.4g}, standard deviation {std:.4g}"
        for mean, std in (start.normalisation, store.own_normalisation)
    )
    if experiment.initialisation.normalisation == "dataset":
        return [*start.notes, f"normalisation: the data set's, {own} (the checkpoint's: {theirs})"]
    store.normalise_by(start.normalisation)
    return [*start.notes, f"normalisation: the checkpoint's, {theirs} (the data set's: {own})"]


def _train(
    experiment: Experiment,
    parts: Parts,
    folder: RunFolder,
    notes: list[str],
    groups: NDArray[np.int64] | None,
) -> None:
    checkpoint = load_checkpoint(folder.last) if folder.last.exists() else None
    if checkpoint is not None:
        _check_data(checkpoint, parts.data.store, folder)
        load_weights(parts.network, checkpoint, folder.last)
    writes = parts.fabric.is_global_zero
    if writes:
        _report(experiment, parts, folder, notes, new=checkpoint is None)
    done = Position() if checkpoint is None else Position.of(checkpoint.progress)
    # Nothing is kept of a run that was killed before its first checkpoint.
    rows = -1 if checkpoint is None else done.epoch
    log = _logs(experiment, folder, done.step, rows) if writes else nullcontext()
    with StopRequest() as stop, log as logs:
        first = FirstWeights(
            None if groups is None else groups[parts.validation], experiment.run.seed
        )
        loop = Loop(experiment, parts, folder, logs, stop, first=first)
        if checkpoint is not None:
            loop.load(checkpoint)
            # Up to three times the weights: not needed twice.
            del checkpoint
        loop.run()


def _logs(experiment: Experiment, folder: RunFolder, step: int, epoch: int) -> Logs:
    kind = experiment.run.tracker
    tracker = None if kind is None else open_tracker(kind, folder.path, plain(experiment))
    return Logs(folder.path, step=step, epoch=epoch, tracker=tracker)


def load_weights(network: Network, checkpoint: Checkpoint, source: object) -> None:
    """Put a checkpoint's last weights into a network of the same architecture and size.

    Raises
    ------
    CheckpointError
        They do not fit.
    """
    try:
        network.load_state_dict(checkpoint.network)
    except RuntimeError as error:
        raise CheckpointError(f"{source}: {' '.join(str(error).split())}") from None


def _in_first_process(fabric: Fabric, action: Callable[[], None]) -> None:
    """Do something once, and let all processes fail if it fails."""
    error: TrainingError | None = None
    if fabric.is_global_zero:
        try:
            action()
        except TrainingError as caught:
            error = caught
    error = fabric.broadcast(error)
    if error is not None:
        raise error


def _check_data(checkpoint: Checkpoint, store: SpectrogramStore, folder: RunFolder) -> None:
    own = tuple(checkpoint.dataset_normalisation or (checkpoint.mean, checkpoint.std))
    if (list(store.classes), store.own_normalisation) != (checkpoint.classes, own):
        raise ConfigError(
            f"cannot resume {folder.last} with {store.folder}: its classes, mean or standard "
            f"deviation are not those of {checkpoint.dataset}"
        )
    store.normalise_by((checkpoint.mean, checkpoint.std))


def _report(
    experiment: Experiment, parts: Parts, folder: RunFolder, notes: list[str], *, new: bool
) -> None:
    for note in notes:
        _log.info(note)
    unlabelled = parts.data.unlabelled_classes()
    if unlabelled:
        names = ", ".join(unlabelled[:10]) + (", ..." if len(unlabelled) > 10 else "")
        _log.warning("%d classes have no training track: %s", len(unlabelled), names)
    if new and not parts.data.is_balanced(experiment.recipe):
        _log.info(
            "sampling: every epoch has all %d training tracks (recipe.sampling.tracks is %d), so "
            "that classes are not balanced; recipe.sampling.replacement true balances them",
            len(parts.data.indices),
            experiment.recipe.sampling.tracks,
        )
    if len(parts.validation) == 0:
        _log.warning("the validation split is empty: no mAP, no best.ckpt")
    if new:
        folder.note(
            training_tracks=len(parts.data.indices),
            validation_tracks=len(parts.validation),
            classes=len(parts.data.store.classes),
            classes_without_training_tracks=unlabelled,
            parameters=sum(p.numel() for p in parts.network.parameters()),
            initialisation=notes,
        )
