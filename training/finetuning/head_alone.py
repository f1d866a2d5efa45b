"""The head alone: the best linear head on one of the start's blocks, before anything is trained on.

Linear probing, then fine-tuning (Kumar et al., ICLR 2022): from a head that is right already, the
blocks below are not torn apart by the errors of a random one. The paper's section 4.1 says that
blocks in the middle tell more of other tasks than the last: the network is cut above the best.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from essentia_maest.heads.fitting import LinearHead
from essentia_maest.progress import tracked
from training.config import Experiment
from training.data.segments import EvaluationSegments
from training.data.store import SpectrogramStore
from training.errors import ConfigError
from training.finetuning.plan import check_block, depth_of
from training.finetuning.regression import Examples, best_head, losses_by_block
from training.model.maest import MAEST
from training.run.assembly import TrainingSet, initial_weights, make_fabric, make_network
from training.run.batches import in_order, make_loader, read_batches
from training.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.run.config_file import plain
from training.run.position import Position

_log = logging.getLogger("training")
HEAD_ALONE = "head_alone.ckpt"
_CHOSEN_ON, _FITTED_ON = 1000, 5000
"""The most tracks that the block is chosen on, and that the head is fitted on."""


@dataclass(frozen=True)
class _Heard:
    """Embeddings of some tracks."""

    embeddings: NDArray[np.float32]
    """[segments, blocks, values]"""
    places: NDArray[np.int64]
    """[segments] of the tracks among those that were asked for"""


def make_head_alone(
    experiment: Experiment,
    store: SpectrogramStore,
    groups: NDArray[np.int64],
    target: Path,
    *,
    block: int | None = None,
) -> int:
    """Fit a head on a block of the start, and write both as a checkpoint to train on from.

    Parameters
    ----------
    experiment : Experiment
        Of the whole start: all its blocks, with a head on the embedding. Its seed and what it says
        of sampling hold for the head.
    store : SpectrogramStore
        Normalised as the start wants it from here on.
    groups : ndarray of int64 [tracks of the store]
        Tracks that belong together.
    target : Path
        The checkpoint; one that is there is taken, if it is of the same start and data.
    block : int, optional
        The block that the head reads, from 1; by default that with the lowest cross-validated loss
        on the training tracks.

    Returns
    -------
    int
        The block.

    Raises
    ------
    ConfigError
        There is no such block, or the target is of another start or other data.
    DataError
        There are too few training tracks.
    """
    check_block(experiment, block)
    depth = depth_of(experiment)
    if target.exists():
        return _known(target, experiment, store, block)
    seed = experiment.run.seed
    data = TrainingSet.of(store, experiment.recipe)
    network = make_network(experiment, len(store.classes))
    assert isinstance(network, MAEST)
    start = initial_weights(experiment, network, store.classes)
    if start.normalisation is not None and experiment.initialisation.normalisation == "checkpoint":
        store.normalise_by(start.normalisation)
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(data.weights))
    few, many = (np.sort(drawn[:most]) for most in (_CHOSEN_ON, _FITTED_ON))
    fabric = make_fabric(experiment.run)
    listener = _Listener(network, store, data.indices, experiment, fabric)
    if block is None:
        heard = listener(few, range(1, depth + 1))
        losses = losses_by_block(_examples(heard, data, groups, few), seed)
        block = 1 + int(np.nanargmin(losses)) if np.isfinite(losses).any() else depth
        told = ", ".join(f"{number} {loss:.4f}" for number, loss in enumerate(losses, 1))
        _log.info("loss of a head alone by block, cross-validated on training tracks: %s", told)
        if len(few) == len(many):
            heard = _Heard(heard.embeddings[:, block - 1 : block], heard.places)
        else:
            heard = listener(many, [block])
    else:
        heard = listener(many, [block])
    head, strength = best_head(_examples(heard, data, groups, many), 0, seed)
    _log.info("head alone: on block %d, inverse strength of its penalty %g", block, strength)
    cut = replace(
        experiment,
        model=replace(experiment.model, depth=block),
        recipe=replace(
            experiment.recipe, layers=replace(experiment.recipe.layers, frozen_blocks=block)
        ),
    )
    _write(cut, store, head, target)
    return block


def _known(target: Path, experiment: Experiment, store: SpectrogramStore, block: int | None) -> int:
    """Give the block of a head that was made earlier, if it was made of the same."""
    found = load_checkpoint(target)
    made_of, depth = found.config["initialisation"]["checkpoint"], found.config["model"]["depth"]
    same = (
        made_of == str(experiment.initialisation.checkpoint)
        and found.classes == list(store.classes)
        and found.dataset_normalisation == list(store.own_normalisation)
        and block in (None, depth)
    )
    if not same:
        raise ConfigError(
            f"{target}: a head on block {depth} of {made_of}, for {len(found.classes)} classes; "
            "wanted one of this start, block and data: delete it and the run beside it, or choose "
            "another work folder (--work)"
        )
    store.normalise_by((found.mean, found.std))
    return int(depth)


class _Listener:
    """Gives embeddings of training tracks."""

    def __init__(
        self,
        network: MAEST,
        store: SpectrogramStore,
        indices: NDArray[np.int64],
        experiment: Experiment,
        fabric: Fabric,
    ) -> None:
        self._network = network.eval().to(fabric.device)
        self._store, self._indices = store, indices
        self._experiment, self._fabric = experiment, fabric

    @torch.no_grad()
    def __call__(self, places: NDArray[np.int64], blocks: Sequence[int]) -> _Heard:
        tracks = self._indices[places]
        run, fabric = self._experiment.run, self._fabric
        segments = EvaluationSegments(self._store, tracks, self._network.segment_frames, "all")
        batches = in_order(len(segments), run.evaluation_batch)
        loader = make_loader(segments, batches, self._experiment.data.workers, fabric.device)
        found, heard = [], []
        with read_batches(loader, fabric.device) as reading:
            for _ in tracked(range(len(batches)), "embeddings of training tracks"):
                batch = next(reading)
                with fabric.autocast():
                    embeddings = self._network.embeddings(batch["mel"], blocks)
                found.append(embeddings.float().cpu().numpy())
                heard.append(batch["track"].cpu().numpy())
        return _Heard(np.concatenate(found), np.searchsorted(tracks, np.concatenate(heard)))


def _examples(
    heard: _Heard, data: TrainingSet, groups: NDArray[np.int64], places: NDArray[np.int64]
) -> Examples:
    tracks = data.indices[places]
    return Examples(
        heard.embeddings,
        heard.places.astype(np.int64),
        np.stack([data.store.targets(int(track)) for track in tracks]),
        data.weights[places],
        groups[tracks].tolist(),
    )


def _write(cut: Experiment, store: SpectrogramStore, head: LinearHead, target: Path) -> None:
    """Write the first blocks of the start, and the head."""
    network = make_network(cut, len(store.classes))
    assert isinstance(network, MAEST)
    initial_weights(cut, network, store.classes)
    put_head(network, head)
    save_checkpoint(
        target,
        Checkpoint(
            config=plain(cut),
            classes=list(store.classes),
            mean=store.mean,
            std=store.std,
            dataset_normalisation=list(store.own_normalisation),
            dataset=str(store.folder.resolve()),
            network=network.state_dict(),
            averaged=None,
            averaged_models=0,
            optimizer={},
            progress=Position().plain(),
            random_state={"seed": cut.run.seed},
        ),
    )


@torch.no_grad()
def put_head(network: MAEST, head: LinearHead) -> None:
    """Give a network with a head on the embedding this one.

    Its inputs are brought to variance 1, as networks like them; the head of the regression has
    them smaller.
    """
    width = np.sqrt(len(head.mean))
    state = {
        "0.mean": head.mean,
        "0.scale": head.scale * width,
        "1.weight": head.weights.T / width,
        "1.bias": head.bias,
    }
    network.head.load_state_dict(
        {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in state.items()}
    )
