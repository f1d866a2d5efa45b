"""`python -m training downstream probe`: what embeddings of a model are worth on a data set."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from essentia_maest.collection.options import Shares
from essentia_maest.files import sha256_of, write_json, write_whole
from essentia_maest.machine import machine, versions
from training.data.tracks import Tracks, read_tracks
from training.downstream.datasets.making import DatasetFacts, facts_of
from training.downstream.embeddings import TOKENS, Kept, Wanted, compute
from training.downstream.grid import search
from training.downstream.mlp import MlpSetting
from training.downstream.probing import Judged, Task, gain, judge, task_of
from training.downstream.scores import FamilyScores
from training.recipe.bootstrap import Interval

Probe = Literal["mlp", "linear"]
Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Data:
    """A tracks table, opened for evaluations.

    Attributes
    ----------
    path : Path
    tracks : Tracks
    facts : DatasetFacts
    families : tuple of str
        Of the classes that probes learn; none: all.
    """

    path: Path
    tracks: Tracks
    facts: DatasetFacts
    families: tuple[str, ...] = ()

    @property
    def published(self) -> bool:
        """Whether scores on it can stand beside the paper's: the data set whole, its own split."""
        return self.facts.complete and not self.families

    def task(self, kept: Kept, stacks: Sequence[tuple[int, Sequence[str]]]) -> Task:
        """Put embeddings beside labels."""
        features, rows = kept.read(self.tracks, stacks)
        return task_of(self.tracks, features, rows, self.families)

    def described(self) -> str:
        """Say what it is, in a line."""
        name = self.facts.dataset or "a tracks table"
        whole = "the published data set and split" if self.facts.complete else "not a published set"
        of = f", classes of {', '.join(self.families)}" if self.families else ""
        return f"{name} ({whole}), {len(self.tracks):,} tracks{of}; sha256 {sha256_of(self.path)}"


@dataclasses.dataclass(frozen=True)
class Options:
    """What all evaluations let one choose.

    Attributes
    ----------
    cache : path, optional
        Folder for embeddings; default: ``embeddings`` in the output folder.
    families : sequence of str
        Learn classes of these families only.
    probe : {"mlp", "linear"}
        The paper's perceptron, or logistic regression.
    batch_size : int
        Of the perceptron, as are the next three; the defaults are the setting of section 3.3.
    epochs : int
    dropout : float
    learning_rate : float
        The highest.
    draws : int
        Of the bootstrap over groups.
    seed : int
        Of probe and bootstrap.
    workers : int, optional
        Processes that decode, run baselines or try settings; default: one for each CPU.
    device : str
        That the perceptron is trained on; a grid is always searched on CPUs.
    """

    cache: Path | None = None
    families: Sequence[str] = ()
    probe: Probe = "mlp"
    batch_size: int = 128
    epochs: int = 30
    dropout: float = 0.5
    learning_rate: float = 1e-3
    draws: int = 1000
    seed: int = 0
    workers: int | None = None
    device: str = "cpu"

    @property
    def setting(self) -> MlpSetting:
        """Of the perceptron (ConfigError where it can be none)."""
        return MlpSetting(self.batch_size, self.epochs, self.dropout, self.learning_rate)

    @property
    def processes(self) -> int:
        """How many there are for what is no decoding."""
        return Shares.of(self.workers, 0).workers

    def open(self, tracks: Path) -> Data:
        """Open a tracks table (DataError where it cannot be used)."""
        return Data(Path(tracks), read_tracks(tracks), facts_of(tracks), tuple(self.families))

    def kept(self, output: Path) -> Path:
        """Name the folder for embeddings."""
        return Path(self.cache) if self.cache is not None else Path(output) / "embeddings"

    def embeddings(self, data: Data, wanted: Wanted, output: Path) -> Kept:
        """Compute embeddings, but for those that are there."""
        return compute(data.tracks, wanted, self.kept(output), workers=self.workers)

    def judge(self, task: Task, setting: MlpSetting | None = None) -> Judged:
        """Learn and judge; with this setting in place of the chosen one, if there is one."""
        setting = setting or self.setting
        return judge(
            task, self.probe, setting, draws=self.draws, seed=self.seed, device=self.device
        )

    def gain(self, task: Task, one: Judged, other: Judged) -> Interval:
        """Say by how much one's mAP is above the other's; as `probing.gain`."""
        return gain(task, one, other, draws=self.draws, seed=self.seed)

    def described(self, setting: MlpSetting | None = None) -> str:
        """Say how, in a line."""
        probe = "a linear probe"
        if self.probe == "mlp":
            told = setting or self.setting
            probe = (
                f"an MLP (512 hidden; batch {told.batch_size}, dropout {told.dropout:g}, "
                f"{told.epochs} epochs, learning rate {told.peak:g}, the epoch with the best "
                "validation ROC-AUC)"
            )
        return f"{probe}; seed {self.seed}; 95 % intervals from {self.draws} draws of groups"


def probe_embeddings(
    tracks: Path,
    model: Path,
    output: Path,
    *,
    blocks: Sequence[int] = (7,),
    tokens: Sequence[str] = TOKENS,
    patchout: str = "F0T0",
    grid: bool = False,
    **options: Any,
) -> Path:
    """Learn a probe on a model's embeddings of a data set, and score it on the test split.

    Writes ``probe.json``, ``probe.csv`` and ``probe.md``: ROC-AUC and mAP, macro, with 95 %
    intervals from a bootstrap over groups. Embeddings and trials are kept: a killed run goes on
    when the command is repeated, and gives the same.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``): of `downstream dataset` or `table`.
    model : path
        Model file.
    output : path
        Folder for the results.
    blocks : sequence of int
        Several are stacked.
    tokens : sequence of {"cls", "dist", "avg"}
        Stacked of each block.
    patchout : str
    grid : bool
        Try the 144 settings of section 4.4, and take that with the best validation ROC-AUC.
    **options
        See `Options`.

    Returns
    -------
    Path
        ``probe.md``.

    Raises
    ------
    ConfigError
        A perceptron cannot be set so.
    DataError
        The table or the embeddings cannot be used.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    chosen, output = Options(**options), Path(output)
    data = chosen.open(tracks)
    kept = chosen.embeddings(data, Wanted(Path(model), tuple(blocks), patchout), output)
    task = data.task(kept, [(block, tuple(tokens)) for block in blocks])
    trials = (
        search(task, output / "trials", seed=chosen.seed, workers=chosen.processes)
        if grid and chosen.probe == "mlp"
        else []
    )
    setting = trials[0].setting if trials else chosen.setting
    judged = chosen.judge(task, setting)
    about = {
        "data": data.described(),
        "tracks with embeddings and labels": task.described(),
        "model": f"{Path(model).name}, sha256 {sha256_of(Path(model))}",
        "embedding": f"blocks {', '.join(map(str, blocks))}; tokens {', '.join(tokens)}; "
        f"patchout {patchout}; {task.features.shape[1]} values; segments overlap by half",
        "probe": chosen.described(setting),
    }
    rows = [
        {"classes of": name, "classes": one.classes, "test tracks": one.tracks, **scores_row(one)}
        for name, one in judged.scores.items()
    ]
    extra: dict[str, Any] = {"scores": {n: dataclasses.asdict(s) for n, s in judged.scores.items()}}
    if judged.learnt is not None:
        learnt = judged.learnt
        about["best epoch"] = (
            f"{learnt.best_epoch} (validation ROC-AUC {learnt.validation_roc_auc:.4f})"
        )
    if trials:
        extra["trials"] = [dataclasses.asdict(trial) for trial in trials]
        about["grid"] = f"the best of {len(trials)} settings by validation ROC-AUC"
    return write_page(output, Page("probe", "What the embeddings are worth", rows, about, extra))


def scores_row(scores: FamilyScores) -> dict[str, str]:
    """Give a table's cells of scores, in percent."""
    return {
        "ROC-AUC": percent(scores.roc_auc),
        "mAP": percent(scores.mean_average_precision),
        "mAP by chance": f"{100 * scores.chance:.1f}",
    }


def percent(interval: Sequence[float]) -> str:
    """Write a value with its interval in percent."""
    value, low, high = (100 * one for one in interval)
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


@dataclasses.dataclass(frozen=True)
class Page:
    """A table, and what is said of it.

    Attributes
    ----------
    name, title : str
        Of the files; of the page.
    rows : sequence of mapping
        Column -> cell; all have the same columns.
    about : mapping of str to str
        What was measured, and how; machine and versions are added.
    extra : mapping
        More for the JSON file.
    words : str
        What follows the table.
    picture : bool
        Whether ``NAME.png`` is shown.
    """

    name: str
    title: str
    rows: Sequence[Row]
    about: Mapping[str, str]
    extra: Mapping[str, Any]
    words: str = ""
    picture: bool = False


def write_page(output: Path, page: Page) -> Path:
    """Write ``NAME.json``, ``NAME.csv`` and ``NAME.md`` to a folder, which is made if need be.

    Returns
    -------
    Path
        The page.
    """
    output.mkdir(parents=True, exist_ok=True)
    about = {**page.about, "machine": machine(), "versions": versions()}
    rows = [dict(row) for row in page.rows]
    write_json(output / f"{page.name}.json", {"about": about, "rows": rows, **page.extra})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(output / f"{page.name}.csv", text.getvalue())
    lines = [f"# {page.title}", "", markdown_table(rows), ""]
    if page.picture:
        lines += [f"![{page.title}]({page.name}.png)", ""]
    if page.words:
        lines += [page.words, ""]
    lines += [f"- {key}: {value}" for key, value in about.items()]
    write_whole(output / f"{page.name}.md", "\n".join(lines) + "\n")
    return output / f"{page.name}.md"


def markdown_table(rows: Sequence[Row]) -> str:
    """Write rows as a table in Markdown."""
    columns = list(rows[0]) if rows else []
    lines = [columns, *([str(row[column]) for column in columns] for row in rows)]
    written = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]
    return "\n".join([written[0], "|" + "-|" * len(columns), *written[1:]])
