"""A person's table of audio and tags to a tracks table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.classes import most_frequent, read_labels
from training.data.columns import Kind
from training.data.ragged import Ragged, offsets_of
from training.data.report import Report, reporting
from training.data.sources import (
    Source,
    read_source,
    refuse_missing_files,
    refuse_repeated_ids,
    refuse_short,
)
from training.data.splits import assign_splits, check_shares, report_splits
from training.data.tracks import SPLITS, Tracks, family_of, make_tracks, write_tracks
from training.errors import ConfigError

_REQUIRED: dict[str, Kind] = {"path": "text", "tags": "texts"}
_OPTIONAL: dict[str, Kind] = {
    "id": "text",
    "group": "text",
    "split": "text",
    "weights": "numbers",
    "families": "texts",
    "seconds": "number",
}


@dataclass(frozen=True)
class _Options:
    """Arguments of `make_table`, as they are there."""

    classes: int | None
    shortest_seconds: float
    validation_share: float
    test_share: float
    seed: int
    check_files: bool


def make_table(
    source: Path,
    output: Path,
    *,
    classes: int | None = None,
    labels: Path | None = None,
    shortest_seconds: float = 20.0,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    check_files: bool = True,
) -> Report:
    """Make a tracks table from a table of audio files and tags.

    Rows that cannot be used are refused, counted by reason in ``OUTPUT.report.json`` and listed
    in ``OUTPUT.refused.csv``; so are tags that are no class.

    Parameters
    ----------
    source : path
        ``.csv``, ``.tsv`` or ``.parquet`` with the columns `path` (relative to the table's
        folder, or absolute) and `tags` (a list, or text separated by ``;`` or ``|``; none, or
        none that is a class, means none of the classes where `families` are given), and any of
        `id` (default: the path), `group` (artist: kept in one split; default: the id), `split`
        (train, validation or test; default: dealt out by group), `weights` (one for each tag,
        above 0 and up to 1; empty: all 1), `families` (of the classes annotated for the track,
        the text before ``---``; empty: all classes are), `seconds` (duration; empty: measured
        later).
    output : path
        The tracks table to write (``.parquet``).
    classes : int, optional
        Keep the most frequent tags only. Default: every tag is a class.
    labels : path, optional
        A file that fixes the classes and their order (see `classes.read_labels`).
    shortest_seconds : float
        Tracks must be longer than this.
    validation_share, test_share : float
        Of the tracks, where the table has no column `split`.
    seed : int
    check_files : bool
        Refuse rows whose audio file is not on disk.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        When the table cannot be read or no row is left.
    ConfigError
        When arguments contradict each other.
    """
    if classes is not None and (labels is not None or classes < 1):
        raise ConfigError(
            f"classes={classes} with labels={labels}: wanted a number of 1 or more, or a file of "
            "labels, not both"
        )
    check_shares(validation_share, test_share)
    fixed = read_labels(Path(labels)) if labels is not None else None

    options = _Options(classes, shortest_seconds, validation_share, test_share, seed, check_files)
    with reporting(Path(output)) as report:
        write_tracks(_make(Path(source), report, fixed, options), Path(output))
    return report


def _make(path: Path, report: Report, fixed: tuple[str, ...] | None, options: _Options) -> Tracks:
    source = read_source(path, _REQUIRED, _OPTIONAL, report)
    _refuse_bad_rows(source, options.shortest_seconds)
    if options.check_files:
        refuse_missing_files(source)
    refuse_repeated_ids(source)
    source.require_some(path)

    rows, tags, weights, names = _encode_tags(source)
    classes, class_of_tag = _choose_classes(tags, names, fixed, options.classes, report)
    labels = Ragged(tags.offsets, class_of_tag[tags.values])
    is_class = labels.values >= 0
    labels, weights = labels.keep(is_class), weights[is_class]

    unlabelled = _at(rows[labels.lengths == 0], source) & ~_annotated(source)
    source.refuse("none of its tags is a class", unlabelled, "tags")
    _refuse_families(source, rows, labels, classes)
    source.require_some(path)

    kept = np.flatnonzero(source.good[rows])
    weights = weights[labels.positions(kept)]
    labels = labels.take(kept)
    table = source.table.take(pa.array(rows[kept]))
    if "split" in source.present:
        split = np.asarray(pc.index_in(table["split"], pa.array(SPLITS))).astype(np.int8)
    else:
        split = assign_splits(
            table["group"],
            labels,
            len(classes),
            validation_share=options.validation_share,
            test_share=options.test_share,
            seed=options.seed,
        )
    report.count("tracks", len(kept))
    report.count("classes", len(classes))
    report_splits(split, labels, table["group"], classes, report)
    return make_tracks(
        ids=table["id"],
        paths=table["path"],
        labels=labels,
        weights=weights.astype(np.float32),
        families=table["families"],
        group=table["group"],
        split=split,
        classes=classes,
        folder=source.folder,
    )


def _refuse_bad_rows(source: Source, shortest_seconds: float) -> None:
    table = source.table
    source.refuse("no path", pc.is_null(table["path"]))
    if "id" not in source.present:
        source.set_column("id", table["path"])
    source.refuse("no id", pc.is_null(source.table["id"]))
    source.set_column("group", pc.coalesce(table["group"], source.table["id"]))

    lengths = pc.fill_null(pc.list_value_length(table["tags"]), 0)
    source.refuse("no tags", (np.asarray(lengths) == 0) & ~_annotated(source))
    if "weights" in source.present:
        given = pc.list_value_length(table["weights"])
        differ = pc.fill_null(pc.not_equal(given, lengths), False)
        source.refuse("weights and tags differ in number", differ, "weights")
        weights = np.asarray(pc.list_flatten(table["weights"]), np.float64)
        parents = np.repeat(np.arange(len(source.good)), np.asarray(pc.fill_null(given, 0)))
        outside = parents[~((weights > 0) & (weights <= 1))]
        source.refuse("a weight is not above 0 and up to 1", _at(outside, source), "weights")
    if "split" in source.present:
        known = pc.is_in(table["split"], pa.array(SPLITS))
        source.refuse(f"split is none of {', '.join(SPLITS)}", pc.invert(known), "split")
    refuse_short(source, shortest_seconds)


def _annotated(source: Source) -> NDArray[np.bool_]:
    """Rows that say what they were annotated for: what is not among their tags is known to lack."""
    lengths = pc.list_value_length(source.table["families"])
    return np.asarray(pc.fill_null(lengths, 0), np.int64) > 0


def _encode_tags(
    source: Source,
) -> tuple[NDArray[np.int64], Ragged, NDArray[np.float64], list[str]]:
    """Good rows; their tags as numbers, each once per row; the tags' weights; the tags' names."""
    rows = np.flatnonzero(source.good)
    table = source.table.take(pa.array(rows))
    lengths = np.asarray(pc.fill_null(pc.list_value_length(table["tags"]), 0), np.int64)
    encoded = pc.list_flatten(table["tags"]).combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices, np.int64)
    tags = Ragged(offsets_of(lengths), codes)
    weights = np.ones(len(codes))
    given = np.asarray(pc.is_valid(table["weights"]))[tags.parents]
    weights[given] = np.asarray(pc.list_flatten(table["weights"]), np.float64)
    names = encoded.dictionary.to_pylist()
    first = np.zeros(len(codes), bool)
    first[np.unique(tags.parents * len(names) + codes, return_index=True)[1]] = True
    if not first.all():
        source.report.count("tags given twice for a track", int((~first).sum()))
    return rows, tags.keep(first), weights[first], names


def _choose_classes(
    tags: Ragged,
    names: list[str],
    fixed: tuple[str, ...] | None,
    wanted: int | None,
    report: Report,
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names, and the class of each tag or -1."""
    counts = np.bincount(tags.values, minlength=len(names))
    if fixed is None:
        chosen = most_frequent(counts, names, wanted)
        class_of_tag = np.full(len(names), -1, np.int64)
        class_of_tag[chosen] = np.arange(len(chosen))
        classes = tuple(names[tag] for tag in chosen)
        reason = f"tag is not among the {wanted} most frequent (left out)"
    else:
        classes = fixed
        place = {name: index for index, name in enumerate(fixed)}
        class_of_tag = np.array([place.get(name, -1) for name in names], np.int64)
        reason = "tag is no class (left out)"
    left_out = np.flatnonzero(class_of_tag < 0)
    for tag in left_out[np.argsort(-counts[left_out], kind="stable")]:
        report.add(reason, names[tag], f"in {counts[tag]} tracks")
    return classes, class_of_tag


def _refuse_families(
    source: Source, rows: NDArray[np.int64], labels: Ragged, classes: tuple[str, ...]
) -> None:
    """Refuse good rows whose families are foreign, or leave out a family that they have tags of."""
    if "families" not in source.present:
        return
    place = {name: i for i, name in enumerate(sorted({family_of(label) for label in classes}))}
    family_of_class = np.array([place[family_of(label)] for label in classes], np.int64)
    column = source.table["families"].take(pa.array(rows))
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), np.int64)
    names = pa.array(list(place))
    codes = pc.fill_null(pc.index_in(pc.list_flatten(column), names), -1)
    given = Ragged(offsets_of(lengths), np.asarray(codes, np.int64))

    foreign = rows[given.parents[given.values < 0]]
    source.refuse("a family is that of no class", _at(foreign, source), "families")
    listed = np.unique(given.parents * len(place) + given.values)
    annotated = np.isin(labels.parents * len(place) + family_of_class[labels.values], listed)
    partly = np.asarray(pc.is_valid(column))
    outside = labels.parents[~annotated & partly[labels.parents]]
    source.refuse("a tag lies outside its families", _at(rows[outside], source), "families")


def _at(rows: NDArray[np.int64], source: Source) -> NDArray[np.bool_]:
    mask = np.zeros(len(source.good), bool)
    mask[rows] = True
    return mask
