"""`downstream table3`, `table4`, `table5`: the tables of the paper, for our models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import essentia_maest as maest
from essentia_maest.files import sha256_of
from training.downstream.embeddings import TOKENS, Wanted
from training.downstream.evaluation import Data, Options, Page, Row, percent, write_page
from training.downstream.grid import search
from training.downstream.mlp import MlpSetting
from training.downstream.own_task import score_own_task
from training.downstream.probing import Judged
from training.downstream.published import TABLE_3, TABLE_4, TABLE_5
from training.errors import ConfigError


@dataclass(frozen=True)
class Comparison(Options):
    """What Tables 3 and 4 compare, besides what all evaluations let one choose.

    Attributes
    ----------
    models : mapping of str to path
        ``ROW:COLUMN`` -> model file, as ``{"MAEST-10s:PaSST": "a.onnx"}``. Columns of Table 3 are
        RW, DeiT and PaSST. Those of Table 4 are lengths of segments, which a model's file tells:
        ``ROW`` is enough.
    own_task : path, optional
        Tracks table of the music that the models were trained on: the activations of each model
        are scored on its test split, as the tables' upper halves have it.
    block : int
        Of the embeddings.
    """

    models: Mapping[str, Path] = field(default_factory=dict)
    own_task: Path | None = None
    block: int = 7


def table_3(tracks: Path, output: Path, **asked: Any) -> Path:
    """Compare initialisations, as the paper's Table 3.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``) for the downstream half.
    output : path
        Folder for the results.
    **asked
        See `Comparison`.

    Returns
    -------
    Path
        ``table3.md``.

    Raises
    ------
    ConfigError
        A model's name is not in this form, or a perceptron cannot be set so.
    DataError
        A table or embeddings cannot be used.
    essentia_maest.errors.MaestError
        A model cannot be used.

    Notes
    -----
    The paper's upper half is on Discogs20, which is not public: its numbers stand beside none.
    """
    return _by_columns(tracks, output, _TABLE_3, Comparison(**asked))


def table_4(tracks: Path, output: Path, **asked: Any) -> Path:
    """Compare lengths of segments, as the paper's Table 4; all else is as for `table_3`.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``) for the downstream half.
    output : path
        Folder for the results.
    **asked
        See `Comparison`.
    """
    return _by_columns(tracks, output, _TABLE_4, Comparison(**asked))


def table_5(
    output: Path,
    *,
    tracks: Mapping[str, Path],
    models: Mapping[str, Path],
    block: int = 7,
    grid: bool = False,
    **options: Any,
) -> Path:
    """Compare models on several data sets: the paper's Table 5.

    Parameters
    ----------
    output : path
        Folder for the results.
    tracks : mapping of str to path
        Column -> tracks table.
    models : mapping of str to path
        Row -> model file.
    block : int
    grid : bool
        Choose the setting of each probe in the grid of section 4.4, as the paper does here.
    **options
        See `Options`.

    Returns
    -------
    Path
        ``table5.md``.

    Raises
    ------
    ConfigError
        No model or table is given, or a perceptron cannot be set so.
    DataError
        A table or embeddings cannot be used.
    essentia_maest.errors.MaestError
        A model cannot be used.
    """
    chosen, output = Options(**options), Path(output)
    if not tracks or not models:
        raise ConfigError(f"{len(tracks)} tables and {len(models)} models; wanted some of each")
    opened = {name: chosen.open(path) for name, path in tracks.items()}
    rows: list[dict[str, str]] = []
    found: dict[str, Any] = {}
    for row, path in models.items():
        cells: dict[str, str] = {"": row}
        for column, data in opened.items():
            kept = chosen.embeddings(data, Wanted(Path(path), (block,)), output)
            task = data.task(kept, [(block, TOKENS)])
            setting = chosen.setting
            if grid and chosen.probe == "mlp":
                trials = search(
                    task,
                    output / "trials" / f"{row}-{column}",
                    seed=chosen.seed,
                    workers=chosen.processes,
                )
                setting = trials[0].setting
            judged = chosen.judge(task, setting)
            found[f"{row}, {column}"] = _told(judged, setting)
            cells |= _pair(column, judged)
        rows.append(cells)
    rows += _published_rows(opened)
    about = {
        **{f"data, {name}": data.described() for name, data in opened.items()},
        **_models(models),
        "probe": chosen.described() + (", but for what the grid chose" if grid else ""),
    }
    title = "ROC-AUC and mAP in percent (Table 5)"
    return write_page(output, Page("table5", title, rows, about, {"scores": found}))


class _Table(NamedTuple):
    """What tells Table 3 from Table 4."""

    name: str
    title: str
    published: Mapping[str, Mapping[str, float]]
    by_length: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the paper."""
        return tuple(next(iter(self.published.values())))

    def place(self, name: str, model: Path) -> tuple[str, str]:
        """Say in which row and column a model stands (ConfigError where that is not told)."""
        row, _, column = name.rpartition(":")
        if row and column in self.columns:
            return row, column
        if self.by_length and name:
            return name, f"{maest.Model(model, num_threads=1).segment_seconds:.3g}s"
        raise ConfigError(
            f"model {name!r}: wanted ROW:COLUMN, with one of the columns {', '.join(self.columns)}"
        )


_TABLE_3 = _Table("table3", "mAP in percent by initialisation (Table 3)", TABLE_3, by_length=False)
_TABLE_4 = _Table(
    "table4", "mAP in percent by length of segments (Table 4)", TABLE_4, by_length=True
)


def _by_columns(tracks: Path, output: Path, table: _Table, asked: Comparison) -> Path:
    if not asked.models:
        raise ConfigError('no models; wanted --models \'{"ROW:COLUMN": "model.onnx"}\'')
    output, data = Path(output), asked.open(tracks)
    places = {table.place(name, Path(path)): Path(path) for name, path in asked.models.items()}
    if len(places) < len(asked.models):
        raise ConfigError(f"{len(asked.models)} models for {len(places)} places; wanted one each")
    about = {"data": data.described()}
    found: dict[str, Any] = {}
    halves: dict[str, dict[tuple[str, str], str]] = {}
    if asked.own_task is not None:
        trained_on = asked.open(asked.own_task)
        about["pre-training task"] = trained_on.described()
        halves["pre-training"] = {}
        for place, path in places.items():
            scores = score_own_task(trained_on, path, asked.kept(output), asked)
            halves["pre-training"][place] = percent(scores.mean_average_precision)
            found[f"pre-training, {':'.join(place)}"] = {
                "mAP": tuple(scores.mean_average_precision),
                "classes": scores.classes,
            }
    halves["downstream"] = {}
    for place, path in places.items():
        kept = asked.embeddings(data, Wanted(path, (asked.block,)), output)
        judged = asked.judge(data.task(kept, [(asked.block, TOKENS)]))
        found[":".join(place)] = _told(judged, asked.setting)
        halves["downstream"][place] = percent(judged.overall.mean_average_precision)
    columns = dict.fromkeys([*table.columns, *(column for _, column in places)])
    rows: list[Row] = [
        {"task": task, "": row, **{column: cells.get((row, column), "") for column in columns}}
        for task, cells in halves.items()
        for row in dict.fromkeys(row for row, _ in places)
    ]
    if data.published and data.facts.dataset == "magnatagatune":
        rows += [
            {
                "task": "downstream",
                "": f"{row}, paper",
                **{c: f"{values[c]:.1f}" if c in values else "" for c in columns},
            }
            for row, values in table.published.items()
        ]
    about |= {**_models(asked.models), "probe": asked.described()}
    return write_page(output, Page(table.name, table.title, rows, about, {"scores": found}))


def _pair(column: str, judged: Judged) -> dict[str, str]:
    scores = judged.overall
    return {
        f"{column} ROC-AUC": percent(scores.roc_auc),
        f"{column} mAP": percent(scores.mean_average_precision),
    }


def _published_rows(opened: Mapping[str, Data]) -> list[dict[str, str]]:
    """Give the paper's rows, with numbers where a data set is the published one."""
    if not any(data.published for data in opened.values()):
        return []
    rows = []
    for name, values in TABLE_5.items():
        row = {"": f"{name}, paper"}
        for column, data in opened.items():
            pair = values.get(data.facts.dataset) if data.published else None
            texts = ("", "") if pair is None else tuple(f"{value:.1f}" for value in pair)
            row |= {f"{column} ROC-AUC": texts[0], f"{column} mAP": texts[1]}
        rows.append(row)
    return rows


def _told(judged: Judged, setting: MlpSetting) -> dict[str, Any]:
    scores = judged.overall
    return {
        "ROC-AUC": tuple(scores.roc_auc),
        "mAP": tuple(scores.mean_average_precision),
        "setting": vars(setting) if judged.learnt is not None else None,
    }


def _models(models: Mapping[str, Path]) -> dict[str, str]:
    return {
        f"model, {n}": f"{Path(p).name}, sha256 {sha256_of(Path(p))}" for n, p in models.items()
    }
