"""`downstream table3`, `table4`, `table5`: the tables of the paper, for our models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from essentia_maest.files import sha256_of
from training.downstream.embeddings import TOKENS, Wanted, compute
from training.downstream.evaluation import Data, Judging, Page, Probe, percent, write_page
from training.downstream.grid import search
from training.downstream.mlp import MlpSetting
from training.downstream.probing import Judged
from training.downstream.published import TABLE_3, TABLE_4, TABLE_5
from training.errors import ConfigError

_TABLE_3_COLUMNS = ("RW", "DeiT", "PaSST")
_TABLE_4_COLUMNS = ("5s", "10s", "20s", "30s")


def table_3(
    tracks: Path,
    output: Path,
    *,
    models: Mapping[str, Path],
    cache: Path | None = None,
    block: int = 7,
    families: Sequence[str] = (),
    probe: Probe = "mlp",
    epochs: int = 30,
    draws: int = 1000,
    seed: int = 0,
) -> Path:
    """Compare initialisations: the downstream half of the paper's Table 3.

    What a run scores on the task that it was trained on, the other half, `evaluate` tells.

    Parameters
    ----------
    tracks : path
        Tracks table (``.parquet``).
    output : path
        Folder for the results.
    models : mapping of str to path
        ``ROW:COLUMN`` -> model file; columns are RW, DeiT and PaSST, as
        ``{"MAEST-10s:PaSST": "a.onnx"}``.
    cache : path, optional
        Folder for embeddings; default: ``embeddings`` in the output folder.
    block : int
    families : sequence of str
        Learn classes of these families only.
    probe : {"mlp", "linear"}
    epochs : int
        Of an MLP.
    draws : int
        Of the bootstrap over groups.
    seed : int

    Returns
    -------
    Path
        ``table3.md``.

    Raises
    ------
    ConfigError
        A model's name is not in this form.
    DataError
        The table or the embeddings cannot be used.
    essentia_maest.errors.MaestError
        A model cannot be used.
    """
    data = Data.open(tracks, families)
    judging = Judging(probe, MlpSetting(epochs=epochs), draws, seed)
    title = "mAP in percent by initialisation (Table 3, downstream)"
    shape = _Shape("table3", title, _TABLE_3_COLUMNS, TABLE_3)
    return _by_columns(data, models, shape, judging, _Places(Path(output), cache, block))


def table_4(
    tracks: Path,
    output: Path,
    *,
    models: Mapping[str, Path],
    cache: Path | None = None,
    block: int = 7,
    families: Sequence[str] = (),
    probe: Probe = "mlp",
    epochs: int = 30,
    draws: int = 1000,
    seed: int = 0,
) -> Path:
    """Compare lengths of segments: the downstream half of the paper's Table 4.

    Arguments, result and errors are those of `table_3`; columns are 5s, 10s, 20s and 30s.
    """
    data = Data.open(tracks, families)
    judging = Judging(probe, MlpSetting(epochs=epochs), draws, seed)
    title = "mAP in percent by length of segments (Table 4, downstream)"
    shape = _Shape("table4", title, _TABLE_4_COLUMNS, TABLE_4)
    return _by_columns(data, models, shape, judging, _Places(Path(output), cache, block))


def table_5(
    output: Path,
    *,
    tracks: Mapping[str, Path],
    models: Mapping[str, Path],
    cache: Path | None = None,
    block: int = 7,
    families: Sequence[str] = (),
    probe: Probe = "mlp",
    grid: bool = False,
    epochs: int = 30,
    draws: int = 1000,
    seed: int = 0,
    workers: int = 1,
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
    cache, block, families, probe, epochs, draws, seed
        See `table_3`.
    grid : bool
        Choose the setting of each probe in the grid of section 4.4, as the paper does here.
    workers : int
        Settings tried at once.

    Returns
    -------
    Path
        ``table5.md``.

    Raises
    ------
    DataError
        A table or embeddings cannot be used.
    essentia_maest.errors.MaestError
        A model cannot be used.
    """
    output = Path(output)
    opened = {name: Data.open(path, families) for name, path in tracks.items()}
    rows: list[dict[str, str]] = []
    found: dict[str, Any] = {}
    for row, path in models.items():
        cells: dict[str, str] = {"": row}
        for column, data in opened.items():
            kept = compute(data.tracks, Wanted(Path(path), (block,)), _cache(cache, output))
            task = data.task(kept, [(block, TOKENS)])
            setting = MlpSetting(epochs=epochs)
            if grid and probe == "mlp":
                trials = search(
                    task, output / "trials" / f"{row}-{column}", seed=seed, workers=workers
                )
                setting = trials[0].setting
            judged = Judging(probe, setting, draws, seed).of(task)
            found[f"{row}, {column}"] = _told(judged, setting)
            cells |= _pair(column, judged)
        rows.append(cells)
    rows += _published_rows(opened)
    about = {
        **{f"data, {name}": data.described() for name, data in opened.items()},
        **_models(models),
        "probe": Judging(probe, MlpSetting(epochs=epochs), draws, seed).described()
        + (", but for what the grid chose" if grid else ""),
    }
    title = "ROC-AUC and mAP in percent (Table 5)"
    return write_page(output, Page("table5", title, rows, about, {"scores": found}))


class _Shape:
    """What tells Table 3 from Table 4."""

    def __init__(
        self,
        name: str,
        title: str,
        columns: Sequence[str],
        published: Mapping[str, Mapping[str, float]],
    ) -> None:
        self.name = name
        self.title = title
        self.columns = columns
        self.published = published


class _Places(NamedTuple):
    """Where results and embeddings go, and the block that these are of."""

    output: Path
    cache: Path | None
    block: int


def _by_columns(
    data: Data, models: Mapping[str, Path], shape: _Shape, judging: Judging, where: _Places
) -> Path:
    output, cache, block = where
    places = {}
    for name, path in models.items():
        row, _, column = name.rpartition(":")
        if not row or column not in shape.columns:
            raise ConfigError(
                f"model {name!r}: wanted ROW:COLUMN, with one of the columns "
                f"{', '.join(shape.columns)}"
            )
        places[row, column] = Path(path)
    found: dict[str, Any] = {}
    cells: dict[tuple[str, str], str] = {}
    for (row, column), path in places.items():
        kept = compute(data.tracks, Wanted(path, (block,)), _cache(cache, output))
        judged = judging.of(data.task(kept, [(block, TOKENS)]))
        found[f"{row}:{column}"] = _told(judged, judging.setting)
        cells[row, column] = percent(judged.overall.mean_average_precision)
    rows = [
        {"": row, **{column: cells.get((row, column), "") for column in shape.columns}}
        for row in dict.fromkeys(row for row, _ in places)
    ]
    if data.published and data.facts.dataset == "magnatagatune":
        rows += [
            {"": f"{row}, paper", **{c: f"{values[c]:.1f}" for c in shape.columns}}
            for row, values in shape.published.items()
        ]
    about = {"data": data.described(), **_models(models), "probe": judging.described()}
    return write_page(output, Page(shape.name, shape.title, rows, about, {"scores": found}))


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


def _cache(cache: Path | None, output: Path) -> Path:
    return Path(cache) if cache is not None else output / "embeddings"
