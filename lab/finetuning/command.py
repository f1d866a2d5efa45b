"""`python -m lab finetuning`: a trained start beside a random one, a head alone and no network."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from essentia_maest import Model, load_audio
from essentia_maest.files import write_json, write_whole, written_whole
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tracked
from lab.finetuning.scores import DealtScores, Truth, dealt_scores
from lab.finetuning.tables import Measured, page, table
from lab.finetuning.unheard import dealt_again, make_unheard_corpus
from lab.quality.references import MelStatistics
from training.config import Experiment, InitialisationConfig, LayersConfig
from training.data.store import SpectrogramStore
from training.data.tracks import SPLITS, read_tracks
from training.downstream.linear import probe
from training.downstream.systems import EMBEDDING
from training.finetuning.command import finetune
from training.finetuning.head_alone import HEAD_ALONE
from training.finetuning.own_tracks import TRACKS, groups_of_tracks
from training.finetuning.plan import plan_finetuning
from training.run.fit import fit
from training.run.inference import Computing, Predictor, load_trained
from training.run.logs import EPOCHS, read_rows

_MIDDLE = 7
_COMPUTING = Computing(workers=0, accelerator="cpu")
FINETUNED, HEAD = "finetune", "head alone, its epoch 0"
ALL_BLOCKS, RANDOM = "all blocks trained", "from random weights"


@dataclass(frozen=True)
class _Held:
    """A deal: the data set, and what is true of its tracks."""

    store: SpectrogramStore
    targets: NDArray[np.float32]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]

    @property
    def test(self) -> NDArray[np.int64]:
        return self.store.indices("test")

    @property
    def truth(self) -> Truth:
        return Truth(self.targets[self.test], self.groups[self.test])

    @property
    def sizes(self) -> dict[str, int]:
        return {split: int((self.splits == split).sum()) for split in SPLITS}


def finetuning(
    output: Path,
    *,
    start: str = "default",
    cache: Path | None = None,
    work: Path | None = None,
    deals: int = 3,
    others: int = 1,
    draws: int = 1000,
    seed: int = 0,
) -> Path:
    """Measure what fine-tuning is worth on real music that the model that ships has not heard.

    Seven soundtracks out of Debian packages (400 MB to fetch) are the classes. `python -m training
    finetune` is run as a user would, for each of several ways to deal the pieces to splits; beside
    it linear probes on embeddings of the start (a head alone), and on mel statistics; on some deals
    also the start with all its blocks trained, and a network of its size from random weights.
    Scores are those of the test splits, with 95 % bootstrap intervals over pieces. What was made
    is kept: a killed run is repeated to go on.

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
    deals : int
        1 to 3.
    others : int
        Deals, from the first, on which all blocks and random weights are trained, too.
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
    found: dict[str, Measured] = {}
    held = []
    for number in range(deals):
        own = work / f"deal-{number}"
        one = _measured_deal(dealt_again(labels, number), start, own, seed, others=number < others)
        held.append(one)
        for name, answers in _answers(one, own, work, start, others=number < others).items():
            found.setdefault(name, Measured(name)).add(*answers)
    tables = []
    for count in sorted({deals, min(others, deals)} - {0}, reverse=True):
        truths = [one.truth for one in held[:count]]
        rows = [
            Measured(
                item.name,
                item.activations[:count],
                item.found[:count],
                item.processor_seconds[:count],
            )
            for item in found.values()
            if len(item.activations) >= count
        ]
        baseline = found[_probe_name(_MIDDLE)].activations[:count]
        scores: dict[str, DealtScores] = {
            item.name: dealt_scores(
                item.activations,
                None if item.name == _probe_name(_MIDDLE) else baseline,
                truths,
                draws=draws,
                seed=seed,
            )
            for item in rows
        }
        tables.append(table(rows, scores))
    path = output / "finetuning.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces = len(set().union(*(one.truth.groups.tolist() for one in held)))
    command = f"--start {start} --deals {deals} --others {others} --seed {seed}"
    tuned, alone = (found[name].activations for name in (FINETUNED, HEAD))
    gained = dealt_scores(tuned, alone, [one.truth for one in held], draws=draws, seed=seed).above
    assert gained is not None
    sizes = [one.sizes for one in held]
    where = f"{machine()}. {versions()}."
    text = page(tables, sizes, pieces, gained, command=command, where=where)
    write_whole(path, text)
    return path


def _measured_deal(labels: Path, start: str, own: Path, seed: int, *, others: bool) -> _Held:
    """Train what is to be trained in a deal."""
    given = [f"--run.seed={seed}", "--run.accelerator=cpu"]
    target = own.with_suffix(".onnx")
    _timed(
        own / "finetune.json",
        own,
        lambda: finetune(labels, Path(start), target, work=own, overrides=given),
    )
    held = _held(own)
    if not others:
        return held
    groups = groups_of_tracks(held.store, own / TRACKS)
    for experiment in _others(own, held, given).values():
        folder = experiment.run.folder
        _timed(
            own / f"{folder.name}.json",
            folder,
            partial(fit, experiment, resume=folder.exists(), groups=groups),
        )
    return held


def _others(own: Path, held: _Held, given: list[str]) -> dict[str, Experiment]:
    tracks = len(held.store.indices("train"))
    plan = partial(plan_finetuning, dataset=own / "dataset", run=own / "run", tracks=tracks)
    tuned = plan(own / HEAD_ALONE, overrides=given)
    blocks = replace(tuned.recipe, layers=replace(tuned.recipe.layers, frozen_blocks=0))
    whole = plan(Path("default"), overrides=[*given, *_FAIR])
    everything = replace(whole.recipe, layers=LayersConfig())
    found = {
        ALL_BLOCKS: replace(tuned, recipe=blocks),
        RANDOM: replace(
            whole,
            recipe=everything,
            model=replace(whole.model, head="mean"),
            initialisation=InitialisationConfig(),
        ),
    }
    return {
        name: replace(one, run=replace(one.run, folder=own / name.replace(" ", "-")))
        for name, one in found.items()
    }


# Nothing is learnt yet: a higher rate, for longer, and no end before it.
_FAIR = [
    "--recipe.schedule.peak=1e-3",
    "--recipe.schedule.constant_until=10",
    "--recipe.schedule.fall=20",
    "--recipe.epochs=30",
    "--recipe.patience=30",
]


def _timed(path: Path, folder: Path, action: Callable[[], object]) -> None:
    """Do something once, and note what it took of processors if it was not interrupted."""
    if path.is_file():
        return
    whole = not folder.exists()
    before = os.times()
    action()
    after = os.times()
    seconds = sum(after[:4]) - sum(before[:4])
    write_json(path, {"processor_seconds": seconds if whole else None})


def _seconds(path: Path) -> float | None:
    found: float | None = json.loads(path.read_text())["processor_seconds"]
    return found


def _answers(
    held: _Held, own: Path, work: Path, start: str, *, others: bool
) -> dict[str, tuple[NDArray[np.floating], str, float | None]]:
    """Give what each system says of the test split, what came of it, and what it took."""
    found = {
        FINETUNED: _of_run(own / "run", held, _seconds(own / "finetune.json")),
        HEAD: (_predicted(own / HEAD_ALONE, held), _block(own / HEAD_ALONE), None),
    }
    if others:
        for name in (ALL_BLOCKS, RANDOM):
            folder = own / name.replace(" ", "-")
            found[name] = _of_run(folder, held, _seconds(own / f"{folder.name}.json"))
    return found | _probes(start, held, work)


def _of_run(
    folder: Path, held: _Held, seconds: float | None
) -> tuple[NDArray[np.floating], str, float | None]:
    final = folder / "final.ckpt"
    epochs = int(read_rows(folder / EPOCHS)[-1]["epoch"])
    best = load_trained(final, averaged=False).checkpoint.progress["epoch"]
    return _predicted(final, held), f"{_block(final)}, epoch {best} of {epochs}", seconds


def _block(checkpoint: Path) -> str:
    return f"block {load_trained(checkpoint, averaged=False).experiment.model.depth}"


def _predicted(checkpoint: Path, held: _Held) -> NDArray[np.floating]:
    trained = load_trained(checkpoint, averaged=False)
    return Predictor(trained, held.store, _COMPUTING).activations(held.test).numpy()


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


def _probe_name(block: int) -> str:
    return f"probe on block {block}"


def _probes(
    start: str, held: _Held, work: Path
) -> dict[str, tuple[NDArray[np.floating], str, float | None]]:
    model = Model(start)
    mel = MelStatistics()
    blocks = sorted({_MIDDLE, model.depth})
    systems: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        _probe_name(block): partial(_embedding, model, block) for block in blocks
    }
    systems["probe on mel statistics"] = lambda audio: mel.features(audio)[EMBEDDING]
    found: dict[str, tuple[NDArray[np.floating], str, float | None]] = {}
    for name, listen in systems.items():
        features, listening = _features(name, listen, held, work)
        began = time.process_time()
        answers = probe(features, held.targets, held.store.classes, held.splits)
        found[name] = answers, "", listening + time.process_time() - began
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
    """Give the features of all tracks, and what they took; kept, and the same in every deal."""
    path = work / f"{name.replace(' ', '-')}.npz"
    if not path.is_file():
        began = time.process_time()
        tracks = tracked(range(len(held.store)), name)
        features = np.stack([listen(load_audio(held.store.path(track))) for track in tracks])
        seconds = time.process_time() - began
        identities = np.array(held.store.ids(np.arange(len(held.store), dtype=np.int64)))
        with written_whole(path) as place, place.open("wb") as file:
            np.savez(file, features=features, seconds=seconds, identities=identities)
    with np.load(path, allow_pickle=False) as kept:
        rows = {name: row for row, name in enumerate(kept["identities"].tolist())}
        order = [rows[name] for name in held.store.ids(np.arange(len(held.store), dtype=np.int64))]
        return kept["features"][order], float(kept["seconds"])
