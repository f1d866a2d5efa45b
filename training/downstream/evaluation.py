"""`python -m training downstream probe`: what embeddings of a model are worth on a data set."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from essentia_maest.files import sha256_of, write_json, write_whole
from essentia_maest.machine import machine, versions
from training.data.tracks import Tracks, read_tracks
from training.downstream.datasets.making import DatasetFacts, facts_of
from training.downstream.embeddings import TOKENS, Kept, Wanted, compute
from training.downstream.grid import search
from training.downstream.mlp import MlpSetting
from training.downstream.probing import Judged, Task, judge, task_of
from training.downstream.scores import FamilyScores

Probe = Literal["mlp", "linear"]
Row = Mapping[str, Any]

_USUAL = MlpSetting()


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

    @classmethod
    def open(cls, path: Path, families: Sequence[str] = ()) -> Data:
        """Read a tracks table (DataError where it cannot be used)."""
        return cls(Path(path), read_tracks(path), facts_of(Path(path)), tuple(families))

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
class Judging:
    """How probes are learnt and judged.

    Attributes
    ----------
    probe : {"mlp", "linear"}
    setting : MlpSetting
    draws : int
        Of the bootstrap.
    seed : int
    device : str
    """

    probe: str = "mlp"
    setting: MlpSetting = _USUAL
    draws: int = 1000
    seed: int = 0
    device: str = "cpu"

    def of(self, task: Task) -> Judged:
        """Learn and judge."""
        return judge(
            task, self.probe, self.setting, draws=self.draws, seed=self.seed, device=self.device
        )

    def described(self) -> str:
        """Say how, in a line."""
        probe = "a linear probe"
        if self.probe == "mlp":
            told = self.setting
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
    cache: Path | None = None,
    blocks: Sequence[int] = (7,),
    tokens: Sequence[str] = TOKENS,
    patchout: str = "F0T0",
    families: Sequence[str] = (),
    probe: Probe = "mlp",
    grid: bool = False,
    batch_size: int = 128,
    epochs: int = 30,
    dropout: float = 0.5,
    learning_rate: float = 1e-3,
    draws: int = 1000,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
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
    cache : path, optional
        Folder for embeddings; default: ``embeddings`` in the output folder.
    blocks : sequence of int
        Several are stacked.
    tokens : sequence of {"cls", "dist", "avg"}
        Stacked of each block.
    patchout : str
    families : sequence of str
        Learn classes of these families only.
    probe : {"mlp", "linear"}
        The paper's perceptron, or logistic regression.
    grid : bool
        Try the 144 settings of section 4.4, and take that with the best validation ROC-AUC.
    batch_size, epochs, dropout, learning_rate
        Of the perceptron, where there is no grid.
    draws : int
        Of the bootstrap.
    seed : int
    workers : int
        Settings tried at once.
    device : str
        That the perceptron is trained on, where there is no grid.

    Returns
    -------
    Path
        ``probe.md``.

    Raises
    ------
    DataError
        The table or the embeddings cannot be used.
    essentia_maest.errors.MaestError
        The model cannot be used.
    """
    data = Data.open(tracks, families)
    output = Path(output)
    kept = compute(
        data.tracks,
        Wanted(Path(model), tuple(blocks), patchout),
        Path(cache) if cache is not None else output / "embeddings",
    )
    task = data.task(kept, [(block, tuple(tokens)) for block in blocks])
    setting = MlpSetting(batch_size, epochs, dropout, learning_rate)
    trials = search(task, output / "trials", seed=seed, workers=workers) if grid else []
    if trials:
        setting = trials[0].setting
    judging = Judging(probe, setting, draws, seed, device)
    judged = judging.of(task)
    about = {
        "data": data.described(),
        "tracks with embeddings and labels": task.described(),
        "model": f"{Path(model).name}, sha256 {sha256_of(Path(model))}",
        "embedding": f"blocks {', '.join(map(str, blocks))}; tokens {', '.join(tokens)}; "
        f"patchout {patchout}; {task.features.shape[1]} values; segments overlap by half",
        "probe": judging.described(),
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
