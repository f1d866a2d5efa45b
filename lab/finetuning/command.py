"""`python -m lab finetuning`: a trained start beside a random one, a head alone and no network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from essentia_maest import Model, load_audio
from essentia_maest.files import write_whole, written_whole
from essentia_maest.machine import machine, versions
from essentia_maest.progress import tracked
from lab.finetuning.scores import DealtScores, Difference, Truth, dealt_scores
from lab.finetuning.settings import RANDOM as RANDOM_SETTING
from lab.finetuning.settings import from_random
from lab.finetuning.tables import Measured, differences, page, table
from lab.finetuning.timed import seconds_of, timed
from lab.finetuning.unheard import dealt_again, make_unheard_corpus
from lab.quality.references import MelStatistics
from training.config import Experiment
from training.data.store import SpectrogramStore
from training.data.tracks import SPLITS, read_tracks
from training.downstream.linear import probe
from training.downstream.systems import EMBEDDING
from training.finetuning.command import finetune
from training.finetuning.head_alone import HEAD_ALONE
from training.finetuning.own_tracks import TRACKS, groups_of_tracks
from training.finetuning.plan import plan_finetuning
from training.run.checkpoint import load_checkpoint
from training.run.fit import fit
from training.run.inference import Computing, Predictor, load_trained
from training.run.logs import EPOCHS, read_rows

_MIDDLE = 7
_COMPUTING = Computing(workers=0, accelerator="cpu")
FINETUNED, HEAD = "finetune", "head alone, its epoch 0"
LAST = "its last epoch, whatever validation said"
RANDOM = "from random weights"
MEL = "probe on mel statistics"


def _probe_name(block: int) -> str:
    return f"probe on block {block}"


_PAIRS = (
    (FINETUNED, HEAD),
    (LAST, HEAD),
    (FINETUNED, _probe_name(_MIDDLE)),
    (FINETUNED, MEL),
    (FINETUNED, RANDOM),
    (HEAD, RANDOM),
)


@dataclass(frozen=True)
class _Held:
    """A deal, trained on with a seed: the data set, and what is true of its tracks."""

    deal: int
    seed: int
    store: SpectrogramStore
    targets: NDArray[np.float32]
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]

    @property
    def test(self) -> NDArray[np.int64]:
        return self.store.indices("test")

    @property
    def truth(self) -> Truth:
        return Truth(self.targets[self.test], self.groups[self.test], self.deal)

    @property
    def sizes(self) -> dict[str, int]:
        return {split: int((self.splits == split).sum()) for split in SPLITS}


def finetuning(
    output: Path,
    *,
    start: str = "default",
    cache: Path | None = None,
    work: Path | None = None,
    deals: int = 6,
    seeds: int = 1,
    others: int = 3,
    draws: int = 1000,
    seed: int = 0,
    overrides: Sequence[str] = (),
) -> Path:
    """Measure what fine-tuning is worth on real music that the model that ships has not heard.

    Seven soundtracks out of Debian packages (400 MB to fetch) are the classes. `python -m training
    finetune` is run as a user would, for each of several ways to deal the pieces to splits; beside
    it linear probes on embeddings of the start (a head alone), and on mel statistics; on some deals
    also a network of its size from random weights. With six deals, every piece is tested once.
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
        1 to 6.
    seeds : int
        Runs of `finetune` for each deal.
    others : int
        Deals, from the first, on which random weights are trained, too: once each.
    draws : int
        Of the bootstrap.
    seed : int
        The first of the runs', and of the bootstrap.
    overrides : sequence of str
        Values that all runs share, as ``--run.validate_every=2``.

    Returns
    -------
    Path
        The table.
    """
    work = output / "work" if work is None else work
    labels = make_unheard_corpus(work / "music", cache=cache)
    found: dict[str, Measured] = {}
    held = []
    for turn in range(seeds):
        for number in range(deals):
            also = turn == 0 and number < others
            own = work / (f"deal-{number}" + (f"-seed-{seed + turn}" if seed + turn else ""))
            one = _measured_deal(
                dealt_again(labels, number),
                start,
                own,
                number,
                others=also,
                seed=seed + turn,
                overrides=overrides,
            )
            held.append(one)
            for name, answers in _answers(one, own, work, start, others=also).items():
                found.setdefault(name, Measured(name)).add(*answers)
    # The deals of the first seed come first, and the others' first among them.
    some = [held[:others]] if 0 < others < len(held) else []
    tables = [_tables(list(found.values()), runs, draws, seed) for runs in (held, *some)]
    path = output / "finetuning.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    pieces = len(set().union(*(one.truth.groups.tolist() for one in held)))
    command = f"--start {start} --deals {deals} --seeds {seeds} --others {others} --seed {seed}"
    if overrides:
        command += f" --overrides '{json.dumps(list(overrides))}'"
    sizes = [one.sizes for one in held[:deals]]
    where = f"{machine()}. {versions()}."
    write_whole(path, page(tables, sizes, pieces, seeds, command=command, where=where))
    return path


def _tables(
    found: Sequence[Measured], held: Sequence[_Held], draws: int, seed: int
) -> tuple[str, str]:
    """Make the table of what was measured of all of some runs, and that of differences."""
    count = len(held)
    rows = {item.name: item.first(count) for item in found if len(item.activations) >= count}
    truths = [one.truth for one in held]

    def scores(name: str, baseline: str | None) -> DealtScores:
        other = None if baseline is None else rows[baseline].activations
        return dealt_scores(rows[name].activations, other, truths, draws=draws, seed=seed)

    above: dict[tuple[str, str], Difference] = {}
    for pair in _PAIRS:
        if set(pair) <= set(rows):
            difference = scores(*pair).above
            assert difference is not None
            above[pair] = difference
    own = {name: scores(name, None) for name in rows}
    return table(list(rows.values()), own), differences(above)


def _measured_deal(
    labels: Path,
    start: str,
    own: Path,
    deal: int,
    *,
    others: bool,
    seed: int,
    overrides: Sequence[str],
) -> _Held:
    """Train what is to be trained in a deal."""
    given = [f"--run.seed={seed}", "--run.accelerator=cpu", *overrides]
    target = own.with_suffix(".onnx")
    timed(
        own / "finetune.json",
        own,
        lambda: finetune(labels, Path(start), target, work=own, overrides=given),
    )
    held = _held(own, deal, seed)
    if not others:
        return held
    groups = groups_of_tracks(held.store, own / TRACKS)
    experiment = _random(own, held, given)
    folder = experiment.run.folder
    timed(
        own / f"{folder.name}.json",
        folder,
        partial(fit, experiment, resume=folder.exists(), groups=groups),
    )
    return held


def _random(own: Path, held: _Held, given: list[str]) -> Experiment:
    """Plan a training from random weights."""
    whole = plan_finetuning(
        Path("default"),
        own / "dataset",
        own / RANDOM.replace(" ", "-"),
        tracks=len(held.store.indices("train")),
        overrides=[*given, *RANDOM_SETTING.values, *_PATIENT],
    )
    return from_random(whole)


# Nothing is learnt at first: it does not end before the last epoch; the best one is taken.
_PATIENT = ["--recipe.patience=1000", "--recipe.margin=0", "--run.validate_every=3"]


def _answers(
    held: _Held, own: Path, work: Path, start: str, *, others: bool
) -> dict[str, tuple[NDArray[np.floating], str, float | None]]:
    """Give what each system says of the test split, what came of it, and what it took."""
    found = {
        FINETUNED: _of_run(own / "run", held, seconds_of(own / "finetune.json")),
        HEAD: (_predicted(own / HEAD_ALONE, held), _block(own / HEAD_ALONE), None),
        LAST: (_predicted(own / "run" / "checkpoints" / "last.ckpt", held), "", None),
    }
    if others:
        folder = own / RANDOM.replace(" ", "-")
        found[RANDOM] = _of_run(folder, held, seconds_of(own / f"{folder.name}.json"))
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
    averaged = load_checkpoint(checkpoint).averaged is not None  # then it is what is exported
    trained = load_trained(checkpoint, averaged=averaged)
    return Predictor(trained, held.store, _COMPUTING).activations(held.test).numpy()


def _held(own: Path, deal: int, seed: int) -> _Held:
    store = SpectrogramStore(own / "dataset")
    everyone = np.arange(len(store), dtype=np.int64)
    table = read_tracks(own / TRACKS).table
    group_of = dict(zip(table["id"].to_pylist(), table["group"].to_pylist(), strict=True))
    splits = np.empty(len(store), "U10")
    for split in SPLITS:
        splits[store.indices(split)] = split
    return _Held(
        deal,
        seed,
        store,
        np.stack([store.targets(int(index)) for index in everyone]),
        splits,
        np.array([group_of[name] for name in store.ids(everyone)]),
    )


def _probes(
    start: str, held: _Held, work: Path
) -> dict[str, tuple[NDArray[np.floating], str, float | None]]:
    model = Model(start)
    mel = MelStatistics()
    blocks = sorted({_MIDDLE, model.depth})
    systems: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        _probe_name(block): partial(_embedding, model, block) for block in blocks
    }
    systems[MEL] = lambda audio: mel.features(audio)[EMBEDDING]
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
