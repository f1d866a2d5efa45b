"""What was measured, as a file for programs (JSON) and as tables for people (Markdown)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from essentia_maest.files import write_json, write_whole
from lab.quality.agreement import Agreement
from training.downstream.scores import ALL, Difference, FamilyScores
from training.recipe.bootstrap import Interval

_ABSENT = "–"  # noqa: RUF001 (a dash, as tables have it)
_INTERVALS = (
    "In brackets: 95 % intervals, from a bootstrap over artists, style files and works. Scores are "
    f"means over classes; `{ALL}` counts every class alike, whatever its family."
)
_AGREEMENT_COLUMNS = (
    "",
    "tags",
    "Pearson over tracks, median tag",
    "Spearman over tracks, median tag",
    "Spearman over tags, mean track",
    "the same, constant answer",
    "of the 5 strongest, shared",
    "the same, constant answer",
    "mAP, strongest tenth",
    "chance",
    "ROC-AUC, strongest tenth",
)
_PATCHOUT_COLUMNS = (
    "",
    "patchout",
    "tokens",
    "times real time, one thread",
    "mAP, predictions",
    "mAP, probes",
    "cosine to fp32 F0T0",
)


@dataclass(frozen=True)
class PatchoutScores:
    """What a model gives, and how fast, under one patchout.

    Attributes
    ----------
    precision : str
        ``int8`` or ``fp32``.
    patchout : str
        ``F3T2`` for instance.
    tokens : int
        Of a segment.
    times_real_time : float, optional
        Seconds of audio analysed in a second, by one thread.
    predictions, probes : Interval, optional
        Mean average precision over all classes with true labels, of the model's own activations
        and of probes on its embeddings.
    cosine : float, optional
        Mean cosine between these embeddings and those of fp32 without patchout.
    """

    precision: str
    patchout: str
    tokens: int
    times_real_time: float | None = None
    predictions: Interval | None = None
    probes: Interval | None = None
    cosine: float | None = None


@dataclass
class Results:
    """All that is known of a model so far; filled as it is measured.

    Attributes
    ----------
    about : dict of str to str
        What was measured, and on what: model, tracks, machine, versions.
    baseline : str
        The system that `probe_differences` compares with.
    predictions : dict of str to (dict of str to FamilyScores)
        By system, then family (or `scores.ALL`): its activations against true labels.
    probes : dict of str to (dict of str to FamilyScores)
        By system, then family: probes on its features against true labels.
    probe_differences : dict of str to (dict of str to Difference)
        By system, then family: its probes less those of `baseline`.
    agreement : dict of str to (dict of str to Agreement)
        By system, then family of the teacher's.
    patchout : list of PatchoutScores
    """

    about: dict[str, str] = field(default_factory=dict)
    baseline: str = "mel statistics"
    predictions: dict[str, dict[str, FamilyScores]] = field(default_factory=dict)
    probes: dict[str, dict[str, FamilyScores]] = field(default_factory=dict)
    probe_differences: dict[str, dict[str, Difference]] = field(default_factory=dict)
    agreement: dict[str, dict[str, Agreement]] = field(default_factory=dict)
    patchout: list[PatchoutScores] = field(default_factory=list)


def write_results(results: Results, folder: Path) -> None:
    """Write ``quality.json`` and ``quality.md``, each whole or not at all.

    Parameters
    ----------
    results : Results
    folder : path
        Made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "quality.json", _plain(results), indent=2)
    write_whole(folder / "quality.md", markdown(results))


def markdown(results: Results) -> str:
    """Lay out all that has been measured as tables.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        Markdown; what has not been measured has no table.
    """
    parts = [
        _section("", _about(results)),
        _section(
            "Predictions against true labels, mAP",
            _scores(results.predictions, "mean_average_precision"),
        ),
        _section(
            "Predictions against true labels, ROC-AUC", _scores(results.predictions, "roc_auc")
        ),
        _section(
            "Linear probes on features, mAP", _scores(results.probes, "mean_average_precision")
        ),
        _section("Linear probes on features, ROC-AUC", _scores(results.probes, "roc_auc")),
        _section(
            f"Linear probes, mAP above {results.baseline} (same draws)",
            _by_system(results.probe_differences, "mean_average_precision", signed=True),
        ),
        _section("Agreement with the teacher on produced music", _agreement(results)),
        _section("Patchout", _patchout(results)),
        _section("", [_INTERVALS]),
    ]
    return "\n".join(line for part in parts for line in part)


def _section(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [*([f"## {title}", ""] if title else []), *lines, ""]


def _about(results: Results) -> list[str]:
    return [f"- {name}: {value}" for name, value in results.about.items()]


def _scores(systems: Mapping[str, Mapping[str, FamilyScores]], score: str) -> list[str]:
    """One row a system; under mAP, what there is to find in each family."""
    lines = _by_system(systems, score)
    if not lines or score != "mean_average_precision":
        return lines
    first = next(iter(systems.values()))
    known = [first.get(family) for family in _families(systems)]
    return [
        *lines,
        _row(["chance", *(_number(scores.chance) if scores else _ABSENT for scores in known)]),
        _row(["classes", *(str(scores.classes) if scores else _ABSENT for scores in known)]),
        _row(["tracks", *(str(scores.tracks) if scores else _ABSENT for scores in known)]),
    ]


def _by_system(
    found: Mapping[str, Mapping[str, FamilyScores | Difference]], score: str, signed: bool = False
) -> list[str]:
    """One row per system, one column per family."""
    families = _families(found)
    rows = [
        [system]
        + [
            _interval(getattr(scores[family], score), signed) if family in scores else _ABSENT
            for family in families
        ]
        for system, scores in found.items()
    ]
    return _table(["", *families], rows)


def _agreement(results: Results) -> list[str]:
    rows = []
    for system, families in results.agreement.items():
        for family, found in families.items():
            rows.append(
                [
                    system,
                    family,
                    _interval(found.pearson),
                    _interval(found.spearman),
                    _interval(found.track_spearman),
                    _interval(found.constant_track_spearman),
                    _interval(found.strongest),
                    _interval(found.constant_strongest),
                    _interval(found.mean_average_precision),
                    _number(found.chance),
                    _interval(found.roc_auc),
                ]
            )
    return _table(_AGREEMENT_COLUMNS, rows)


def _patchout(results: Results) -> list[str]:
    rows = [
        [
            row.precision,
            row.patchout,
            str(row.tokens),
            _ABSENT if row.times_real_time is None else f"{row.times_real_time:.0f}",
            _interval(row.predictions),
            _interval(row.probes),
            _ABSENT if row.cosine is None else f"{row.cosine:.4f}",
        ]
        for row in results.patchout
    ]
    return _table(_PATCHOUT_COLUMNS, rows)


def _families(found: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Families of all systems, in the order in which they come; `ALL` last."""
    names = dict.fromkeys(family for scores in found.values() for family in scores)
    return sorted(names, key=ALL.__eq__)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    return [_row(header), "|" + "-|" * len(header), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _interval(found: Interval | None, signed: bool = False) -> str:
    if found is None or math.isnan(found.value):
        return _ABSENT
    value, low, high = (_number(number, signed) for number in found)
    return f"{value} ({low} to {high})"


def _number(value: float, signed: bool = False) -> str:
    return _ABSENT if math.isnan(value) else format(value, "+.3f" if signed else ".3f")


def _plain(value: Any) -> Any:
    """Turn results into what JSON has; NaN into null."""
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Interval | Difference):
        return {name: _plain(number) for name, number in value._asdict().items()}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
