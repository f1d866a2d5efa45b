"""The paper's training set from Discogs' dumps and a table of tracks (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from training.data.artists import group_works
from training.data.classes import most_frequent
from training.data.columns import Kind
from training.data.discogs_dump import Asked, Entries, Vocabulary, read_dump
from training.data.discogs_styles import Taxonomy, Works, gather_works, work_keys
from training.data.ragged import Ragged
from training.data.report import Report, reporting
from training.data.sources import (
    Source,
    read_source,
    refuse_missing_files,
    refuse_repeated_ids,
    refuse_short,
)
from training.data.splits import assign_splits, report_splits
from training.data.track_artists import ask_for, track_artists
from training.data.tracks import SPLITS, Tracks, make_tracks, write_tracks
from training.errors import ConfigError

LARGEST_EVALUATION_SHARE = 0.2
_COLUMNS: dict[str, Kind] = {"id": "text", "release": "number", "path": "text"}
_OPTIONAL: dict[str, Kind] = {"seconds": "number", "artist": "texts", "position": "text"}


@dataclass(frozen=True)
class _Options:
    """Arguments of `make_discogs_table`, as they are there."""

    classes: int
    most_styles: int
    shortest_seconds: float
    validation_tracks: int
    test_tracks: int
    seed: int
    check_files: bool


def make_discogs_table(
    masters: Path,
    releases: Path,
    tracks: Path,
    output: Path,
    *,
    classes: int = 400,
    most_styles: int = 5,
    shortest_seconds: float = 20.0,
    validation_tracks: int = 40_000,
    test_tracks: int = 40_000,
    seed: int = 0,
    check_files: bool = True,
) -> Report:
    """Make a tracks table from Discogs' dumps and a table of tracks, as in the paper.

    Styles are united over a master release and all of its releases; tracks of masters with too
    many styles, or none of the most frequent, are dropped, and so are short ones; no artist of a
    master is in two splits. Of a compilation's tracks the dump names the artists, where the table
    says which of them a track is (`position`); else a compilation is a group of its own. Refused
    tracks are counted by reason in ``OUTPUT.report.json`` and listed in ``OUTPUT.refused.csv``.

    Parameters
    ----------
    masters, releases : path
        ``discogs_YYYYMMDD_masters.xml.gz`` and ``discogs_YYYYMMDD_releases.xml.gz``.
    tracks : path
        ``.csv``, ``.tsv`` or ``.parquet`` with the columns `id`, `release` (Discogs' number),
        `path` (relative to the table's folder, or absolute) and, if known, `seconds`, `artist`
        (names or Discogs' numbers, separated by ``;``) and `position` (on its release, as Discogs
        writes it: A1, 3, 2-05).
    output : path
        The tracks table to write (``.parquet``).
    classes : int
        Keep this many labels ``Genre---Style``, the most frequent among all tracks that are in
        the dump; one that no usable track has makes room for the next.
    most_styles : int
        Masters with more are dropped; a style under two genres counts once.
    shortest_seconds : float
        Tracks must be longer than this; those of unknown duration are measured later.
    validation_tracks, test_tracks : int
        About how many; scaled down, with a note, where they are more than a fifth of all.
    seed : int
    check_files : bool
        Refuse rows whose audio file is not on disk.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        When a file cannot be read or no track is left.
    ConfigError
        When a number is out of range.
    """
    options = _Options(
        classes, most_styles, shortest_seconds, validation_tracks, test_tracks, seed, check_files
    )
    if classes < 1 or most_styles < 1 or validation_tracks < 0 or test_tracks < 0:
        raise ConfigError(
            f"classes={classes}, most_styles={most_styles}, validation_tracks={validation_tracks}, "
            f"test_tracks={test_tracks}: wanted 1 or more classes and styles, 0 or more tracks"
        )
    with reporting(Path(output)) as report:
        made = _make(Path(masters), Path(releases), Path(tracks), report, options)
        write_tracks(made, Path(output))
    return report


def _make(masters: Path, releases: Path, tracks: Path, report: Report, options: _Options) -> Tracks:
    source = read_source(tracks, _COLUMNS, _OPTIONAL, report)
    _refuse_bad_rows(source)
    if options.check_files:
        refuse_missing_files(source)
    refuse_repeated_ids(source)
    source.require_some(tracks)

    asked = ask_for(source)
    of_masters, of_releases, taxonomy = _read_dumps(masters, releases, report, asked)
    keys = _find_works(source, of_releases)
    source.require_some(tracks)
    pool = np.flatnonzero(source.good)
    work_of_row = np.zeros(len(keys), np.int64)
    unique, work_of_row[pool] = np.unique(keys[pool], return_inverse=True)
    works = gather_works(unique, of_masters, of_releases)
    absent = int((~np.isin(unique[unique > 0], of_masters.ids)).sum())
    if absent:
        report.note(
            f"{absent} masters of the tracks are not in {masters.name}; their styles come from "
            "their releases alone (are both dumps of the same month?)"
        )

    labels = taxonomy.labels(works)
    refuse_short(source, options.shortest_seconds)
    styles = works.styles.lengths[work_of_row]
    source.refuse("its master has no style", styles == 0)
    source.refuse(
        f"its master has more than {options.most_styles} styles", styles > options.most_styles
    )
    labels, classes = _choose_classes(
        labels, work_of_row[pool], work_of_row[source.good], taxonomy, options.classes
    )
    source.refuse(
        f"none of its master's styles is among the {options.classes} most frequent",
        labels.lengths[work_of_row] == 0,
    )
    source.require_some(tracks)

    rows = np.flatnonzero(source.good)
    used, of_used = np.unique(work_of_row[rows], return_inverse=True)
    own = None
    if asked is not None:
        own = track_artists(source, rows, asked, of_releases)
        report.count("tracks whose own artists are known", int(np.count_nonzero(own.lengths)))
    group = _group(works, work_of_row[rows], own, report)
    labels = labels.take(used).take(of_used)
    validation_share, test_share = _shares(len(rows), options, report)
    split = assign_splits(
        group,
        labels,
        len(classes),
        validation_share=validation_share,
        test_share=test_share,
        seed=options.seed,
    )
    report.count("tracks", len(rows))
    report.count("classes", len(classes))
    report.count("masters", len(used))
    report_splits(split, labels, group, classes, report)
    _note_small_splits(split, (validation_share, test_share), report)
    table = source.table.take(pa.array(rows))
    return make_tracks(
        ids=table["id"],
        paths=table["path"],
        labels=labels,
        weights=None,
        families=None,
        group=group,
        split=split,
        classes=classes,
        folder=source.folder,
    )


def _group(
    works: Works, work_of_track: NDArray[np.int64], own: Ragged | None, report: Report
) -> pa.ChunkedArray:
    """Name what each track may not be parted from, Arrow strings [tracks]."""
    if own is None:
        used, of_used = np.unique(work_of_track, return_inverse=True)
        names = pa.array(group_works(works, used)).take(pa.array(of_used))
    else:
        names = pa.array(group_works(works, work_of_track, own))
    group = pa.chunked_array([names])
    nobody = pc.sum(pc.invert(pc.starts_with(group, "artist"))).as_py()
    report.count("tracks of compilations and unknown artists", nobody)
    if nobody:
        report.note(
            f"{nobody} tracks are of compilations that name no artist of theirs: their artists may "
            "be in other splits. Columns `position` (as in Discogs) or `artist` say whose they are"
        )
    return group


def _refuse_bad_rows(source: Source) -> None:
    source.refuse("no id", pc.is_null(source.table["id"]))
    source.refuse("no path", pc.is_null(source.table["path"]))
    release = np.asarray(pc.fill_null(source.table["release"], np.nan))
    with np.errstate(invalid="ignore"):
        whole = (release > 0) & (release == np.floor(release))
    source.refuse("release is not a number of Discogs", ~whole, "release")


def _read_dumps(
    masters: Path, releases: Path, report: Report, asked: Asked | None
) -> tuple[Entries, Entries, Taxonomy]:
    genres, styles = Vocabulary(), Vocabulary()
    refuse = partial(report.add, "entry of the dump without an id (left out)")
    of_masters = read_dump(masters, "master", genres, styles, refuse, asked=asked)
    of_releases = read_dump(releases, "release", genres, styles, refuse, asked=asked)
    report.count("masters in the dump", len(of_masters))
    report.count("releases in the dump", len(of_releases))
    return of_masters, of_releases, Taxonomy((of_masters, of_releases), genres.names, styles.names)


def _find_works(source: Source, releases: Entries) -> NDArray[np.int64]:
    """Work of each row, [rows], without meaning for bad rows; refuses releases without entry."""
    order = np.argsort(releases.ids, kind="stable")
    ids = releases.ids[order]
    release = np.asarray(pc.fill_null(source.table["release"], 0), np.float64)
    release = np.where(source.good, release, 0).astype(np.int64)
    place = np.searchsorted(ids, release)
    place[place == len(ids)] = 0
    source.refuse("its release is not in the dump", ids[place] != release, "release")
    return work_keys(releases)[order][place]


def _choose_classes(
    labels: Ragged,
    pool: NDArray[np.int64],
    usable: NDArray[np.int64],
    taxonomy: Taxonomy,
    wanted: int,
) -> tuple[Ragged, tuple[str, ...]]:
    """Keep the labels most frequent in the pool that a usable track has.

    Parameters
    ----------
    labels : Ragged [works]
        Of the taxonomy.
    pool, usable : int64 [tracks]
        Works of all tracks, and of those that no rule about single tracks or masters dropped.
    taxonomy : Taxonomy
    wanted : int

    Returns
    -------
    labels : Ragged [works]
        Class indices.
    classes : tuple of str
    """
    known, codes = np.unique(labels.values, return_inverse=True)
    names = [taxonomy.name(label) for label in known]

    def tracks_with(works: NDArray[np.int64]) -> NDArray[np.int64]:
        tracks = np.bincount(works, minlength=len(labels))
        found = np.bincount(codes, weights=tracks[labels.parents], minlength=len(known))
        return found.astype(np.int64)

    counts = np.where(tracks_with(usable) > 0, tracks_with(pool), 0)
    chosen = most_frequent(counts, names, wanted)
    class_of = np.full(len(known), -1, np.int64)
    class_of[chosen] = np.arange(len(chosen))
    numbered = Ragged(labels.offsets, class_of[codes])
    return numbered.keep(numbered.values >= 0), tuple(names[label] for label in chosen)


def _shares(count: int, options: _Options, report: Report) -> tuple[float, float]:
    """Shares of validation and test, together no more than a fifth of the tracks."""
    asked = options.validation_tracks + options.test_tracks
    scale = 1.0
    if asked > LARGEST_EVALUATION_SHARE * count:
        scale = LARGEST_EVALUATION_SHARE * count / asked
        report.note(
            f"{options.validation_tracks} validation and {options.test_tracks} test tracks are "
            f"more than a fifth of the {count} tracks: scaled down to about "
            f"{options.validation_tracks * scale:.0f} and {options.test_tracks * scale:.0f}"
        )
    return options.validation_tracks * scale / count, options.test_tracks * scale / count


def _note_small_splits(
    split: NDArray[np.int8], shares: tuple[float, float], report: Report
) -> None:
    for name, share in zip(("validation", "test"), shares, strict=True):
        wanted, got = share * len(split), int((split == SPLITS.index(name)).sum())
        if got < 0.9 * wanted:
            report.note(
                f"{name} got {got} instead of about {wanted:.0f} tracks: artists who share "
                "masters cannot be parted, and the groups that they form are too large"
            )
