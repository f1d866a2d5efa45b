"""`python -m lab finetuning`: a trained start beside a random one, a head alone and no network."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from essentia_maest import Model, load_audio
from essentia_maest.files import write_whole, written_whole
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tracked
from lab.finetuning.tables import Compared, Measured, table
from lab.finetuning.unheard import make_unheard_corpus
from lab.quality.references import MelStatistics
from training.config import Experiment, InitialisationConfig, LayersConfig
from training.data.segments import TrainingSegments
from training.data.store import SpectrogramStore
from training.data.tracks import SPLITS, read_tracks
from training.downstream.linear import probe
from training.downstream.scores import difference, family_scores
from training.downstream.systems import EMBEDDING
from training.finetuning.command import finetune
from training.finetuning.own_tracks import TRACKS
from training.finetuning.plan import plan_finetuning
from training.run.assembly import assemble, make_fabric, make_network
from training.run.batches import make_loader, micro_batches, read_batches
from training.run.fit import fit
from training.run.inference import Computing, Predictor, load_trained
from training.run.logs import EPOCHS, read_rows
from training.run.step import TrainingStep

Score = TypeVar("Score")
_MIDDLE = 7
_TIMED = 9
_COMPUTING = Computing(workers=0, accelerator="cpu")


@dataclass(frozen=True)
class _Held:
    """The data set, and what is true of its tracks."""

    store: SpectrogramStore
    targets: NDArray[np.float32]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]

    @property
    def test(self) -> NDArray[np.int64]:
        return self.store.indices("test")


def finetuning(
    output: Path,
    *,
    start: str = "default",
    cache: Path | None = None,
    work: Path | None = None,
    epochs: int = 30,
    draws: int = 1000,
    seed: int = 0,
) -> Path:
    """Measure what fine-tuning is worth on real music that the model that ships has not heard.

    Seven soundtracks out of Debian packages (400 MB to fetch) are the classes. `python -m training
    finetune` is run as a user would; then a network of the same size from random weights, the
    trained one with all its blocks trained, linear probes on embeddings of the start (a head
    alone), and on mel statistics. Scores are those of the test split, with 95 % bootstrap
    intervals over pieces. What was made is kept: a killed run is repeated to go on.

    Parameters
    ----------
    output : path
        Folder for ``finetuning.md``.
    start : str
        Model file, or the name of a model.
    cache : path, optional
        Where packages are kept; default: ``~/.cache/essentia-maest/packages``.
    work : path, optional
        Folder for music, spectrograms and runs; default: ``work`` in the output folder.
    epochs : int
        Of each run at most; the learning rate falls from a third of them on.
    draws : int
        Of the bootstrap.
    seed : int
        Of the runs and the bootstrap.

    Returns
    -------
    Path
        The table.
    """
    work = output / "work" if work is None else work
    labels = make_unheard_corpus(work / "music", cache=cache)
    own = work / "own"
    measured: list[Measured] = []
    schedule = {"constant_until": epochs / 3, "fall": 2 * epochs / 3}
    overrides = [
        f"--run.seed={seed}",
        "--run.accelerator=cpu",
        f"--recipe.epochs={epochs}",
        *(f"--recipe.schedule.{name}={value:g}" for name, value in schedule.items()),
    ]
    made = finetune(labels, Path(start), work / "own.onnx", work=own, overrides=overrides)
    held = _held(own)
    plan = plan_finetuning(
        Path(start),
        own / "dataset",
        own / "run",
        tracks=len(held.store.indices("train")),
        overrides=overrides,
    )
    measured.append(_of_run("fine-tuned, lower half frozen", plan, held))
    everything = replace(plan.recipe, layers=replace(plan.recipe.layers, frozen_blocks=0))
    from_nothing = replace(plan.recipe, layers=LayersConfig())
    for name, changed in {
        "fine-tuned, all blocks": replace(plan, recipe=everything),
        "from random weights": replace(
            plan, recipe=from_nothing, initialisation=InitialisationConfig()
        ),
    }.items():
        folder = work / name.replace(" ", "-").replace(",", "")
        experiment = replace(changed, run=replace(changed.run, folder=folder))
        fit(experiment, resume=folder.exists())
        measured.append(_of_run(name, experiment, held))
    measured += _probes(start, held, work)
    scored = {item.name: item.activations for item in measured}
    truth = (held.targets[held.test], held.store.classes, held.groups[held.test])
    head = scored[_head(_MIDDLE)]
    scores = {
        name: Compared(
            _overall(family_scores(activations, *truth, draws=draws, seed=seed)),
            _overall(difference(activations, head, *truth, draws=draws, seed=seed))
            if activations is not head
            else None,
        )
        for name, activations in scored.items()
    }
    sizes = {split: int((held.splits == split).sum()) for split in SPLITS}
    text = table(
        measured, scores, sizes, f"{start} --epochs {epochs}", f"{machine()}. {versions()}."
    )
    path = output / "finetuning.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
    assert made.model.is_file()
    return path


def _head(block: int) -> str:
    return f"head alone: probe on block {block}"


def _overall(scores: Mapping[str, Score]) -> Score:
    """Give the scores over all classes, which are of one family here."""
    return next(iter(scores.values()))


def _processor_seconds(experiment: Experiment, steps: int) -> float:
    """Measure what so many steps take of processors, reading included: by the median of some."""
    with tempfile.TemporaryDirectory() as folder:
        run = replace(experiment.run, folder=Path(folder) / "run", log_every=steps + _TIMED)
        fabric = make_fabric(run)
        store = SpectrogramStore(experiment.data.dataset)
        network = make_network(experiment, len(store.classes))
        parts = assemble(replace(experiment, run=run), fabric, store, network)
        step = TrainingStep(experiment, parts)
        recipe = experiment.recipe
        segments = TrainingSegments(
            store,
            parts.data.order(0, recipe, run.seed),
            segment_frames=parts.frames,
            seed=run.seed,
            epoch=0,
            augment=parts.augment,
        )
        positions = micro_batches(range(_TIMED), recipe.batch, recipe.micro_batch, 0, 1)
        found = []
        with read_batches(
            make_loader(segments, positions, 0, fabric.device), fabric.device
        ) as batches:
            for position in range(_TIMED):
                began = time.process_time()
                step(batches, 0, position, recipe.schedule.peak)
                found.append(time.process_time() - began)
    return steps * median(found)


def _held(own: Path) -> _Held:
    store = SpectrogramStore(own / "dataset")
    everyone = np.arange(len(store), dtype=np.int64)
    table = read_tracks(own / TRACKS).table
    group_of = dict(zip(table["id"].to_pylist(), table["group"].to_pylist(), strict=True))
    splits = np.empty(len(store), "U10")
    for split in SPLITS:
        splits[store.indices(split)] = split
    return _Held(
        store,
        np.stack([store.targets(int(index)) for index in everyone]),
        splits,
        np.array([group_of[name] for name in store.ids(everyone)]),
    )


def _of_run(name: str, experiment: Experiment, held: _Held) -> Measured:
    folder = experiment.run.folder
    trained = load_trained(folder / "final.ckpt", averaged=False)
    network = trained.network
    rows = read_rows(folder / EPOCHS)
    activations = Predictor(trained, held.store, _COMPUTING).activations(held.test)
    return Measured(
        name,
        activations.numpy(),
        trained_weights=sum(p.numel() for p in network.parameters() if p.requires_grad),
        epochs=len(rows),
        processor_seconds=_processor_seconds(experiment, int(rows[-1]["step"])),
    )


def _probes(start: str, held: _Held, work: Path) -> list[Measured]:
    model = Model(start)
    mel = MelStatistics()
    blocks = sorted({_MIDDLE, model.depth})
    systems: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        _head(block): partial(_embedding, model, block) for block in blocks
    }
    systems["probe on mel statistics"] = lambda audio: mel.features(audio)[EMBEDDING]
    found = []
    for name, listen in systems.items():
        began = time.process_time()
        features, listening = _features(name, listen, held, work)
        answers = probe(features, held.targets, held.store.classes, held.splits)
        weights = (features.shape[1] + 1) * len(held.store.classes)
        seconds = listening + time.process_time() - began
        found.append(Measured(name, answers, weights, None, seconds))
    return found


def _embedding(model: Model, block: int, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = model.embed(audio, block=block).mean(0)
    return mean


def _features(
    name: str,
    listen: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    held: _Held,
    work: Path,
) -> tuple[NDArray[np.float32], float]:
    """Give the features of all tracks, and what they took, kept from an earlier run if there."""
    path = work / f"{name.replace(' ', '-').replace(':', '')}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            return kept["features"], float(kept["seconds"])
    began = time.process_time()
    tracks = tracked(range(len(held.store)), name)
    features = np.stack([listen(load_audio(held.store.path(track))) for track in tracks])
    seconds = time.process_time() - began
    with written_whole(path) as place, place.open("wb") as file:
        np.savez(file, features=features, seconds=seconds)
    return features, 0.0
