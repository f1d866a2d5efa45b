"""`python -m training downstream dataset`: tagged music as it was published to a tracks table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from essentia_maest.files import sha256_of, write_json
from training.data.ragged import Ragged, offsets_of
from training.data.report import Report, reporting
from training.data.splits import check_shares, report_splits
from training.data.table import make_table
from training.data.tracks import SPLITS, Tracks, write_tracks
from training.downstream.datasets.collected import Collected, Item, tracks_of
from training.downstream.datasets.folders import read_folders
from training.downstream.datasets.gtzan import read_gtzan
from training.downstream.datasets.jamendo import SUBSETS, read_jamendo
from training.downstream.datasets.loaders import read_mirdata
from training.downstream.datasets.magnatagatune import read_magnatagatune
from training.downstream.datasets.million_song import read_cals, read_usual
from training.downstream.published import SPLIT_0, TABLE_2
from training.errors import DataError

_READERS: dict[str, Callable[[Path], Collected]] = {
    "magnatagatune": read_magnatagatune,
    **{f"jamendo-{subset}": partial(read_jamendo, subset=subset) for subset in SUBSETS},
    "msd": read_usual,
    "msd-cals": read_cals,
    "gtzan": read_gtzan,
    "folders": read_folders,
}
KINDS = (*_READERS, "table", "mirdata:LOADER")
_MIRDATA = "mirdata:"
_MISSING = "no such audio file"


@dataclasses.dataclass(frozen=True)
class DatasetFacts:
    """What is known of a tracks table, beside it in ``.dataset.json``.

    Attributes
    ----------
    dataset : str
        Name of the kind that it was made of; empty where nothing is known.
    complete : bool
        All tracks of the published data set are in it, in the published split.
    """

    dataset: str = ""
    complete: bool = False


def make_dataset(
    kind: str,
    source: Path,
    output: Path,
    *,
    audio: Path | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.2,
    seed: int = 0,
    check_files: bool = True,
) -> Report:
    """Make a tracks table of a data set, with the split that was published with it.

    Tracks whose audio is not there are left out, counted in ``OUTPUT.report.json`` and named in
    ``OUTPUT.refused.csv``; what is there is usable. Numbers are compared with the paper's Table 2.

    Parameters
    ----------
    kind : str
        magnatagatune, jamendo-genre, jamendo-instrument, jamendo-moodtheme, jamendo-top50tags,
        msd, msd-cals, gtzan; folders (one for each class); table (.csv, .tsv or .parquet as
        `python -m training table` takes it); mirdata:LOADER.
    source : path
        The folder of what was published with the audio: annotations, lists, splits. For folders
        the folder with a folder for each class, for table the file.
    output : path
        The tracks table to write (``.parquet``).
    audio : path, optional
        Folder of the audio files; default: `source`.
    validation_share, test_share : float
        Of the tracks, dealt out by group, where no split was published.
    seed : int
        Of dealing out.
    check_files : bool
        Leave out tracks whose audio is not there, and have mirdata check its checksums.

    Returns
    -------
    Report

    Raises
    ------
    DataError
        The annotations are missing or not in the published form, or no track is left.
    """
    source, output = Path(source), Path(output)
    if kind == "table":
        report = make_table(
            source,
            output,
            shortest_seconds=0.0,
            validation_share=validation_share,
            test_share=test_share,
            seed=seed,
            check_files=check_files,
        )
        _write_facts(output, DatasetFacts(kind))
        return report
    check_shares(validation_share, test_share)
    reader: Callable[[Path], Collected] = partial(
        read_mirdata, name=kind.removeprefix(_MIRDATA), check_files=check_files
    )
    if not kind.startswith(_MIRDATA):
        if kind not in _READERS:
            raise DataError(f"{kind!r} is no data set known here; wanted: {', '.join(KINDS)}")
        reader = _READERS[kind]
    with reporting(output) as report:
        collected = reader(source)
        folder = (source if audio is None else Path(audio)).absolute()
        published = len(collected.items)
        for identity, reason in collected.left_out.items():
            report.count(f"left out, {reason}")
            report.note(f"{identity} is left out: {reason}")
        for note in collected.notes:
            report.note(note)
        if check_files:
            collected = _with_audio(collected, folder, report)
        tracks = tracks_of(
            collected,
            folder,
            validation_share=validation_share,
            test_share=test_share,
            seed=seed,
        )
        _count(tracks, kind, published, report)
        write_tracks(tracks, output)
    _write_facts(output, DatasetFacts(kind, complete=_is_whole(kind, published, len(tracks))))
    return report


def facts_of(path: Path) -> DatasetFacts:
    """Tell which data set a tracks table is of.

    Parameters
    ----------
    path : Path
        The table.

    Returns
    -------
    DatasetFacts
        Empty where nothing tells, or the table was changed since.
    """
    try:
        found: dict[str, Any] = json.loads(_facts_path(path).read_text(encoding="utf-8"))
        if found.pop("sha256") != sha256_of(path):
            return DatasetFacts()
        return DatasetFacts(**found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return DatasetFacts()


def _write_facts(path: Path, facts: DatasetFacts) -> None:
    write_json(_facts_path(path), {**dataclasses.asdict(facts), "sha256": sha256_of(path)})


def _facts_path(path: Path) -> Path:
    return path.with_name(path.name + ".dataset.json")


def _is_whole(kind: str, published: int, found: int) -> bool:
    # CALS was published with 233,147 tracks; the paper had the audio of 231,782 of them.
    wanted = TABLE_2.get(kind)
    return wanted is not None and SPLIT_0.get(kind, wanted.tracks) <= found <= published


def _with_audio(collected: Collected, folder: Path, report: Report) -> Collected:
    """Keep the tracks with audio, under the name that it has."""
    with ThreadPoolExecutor(32) as pool:  # a network file system answers each in a millisecond
        found = list(pool.map(lambda item: _found(item, folder), collected.items))
    kept = []
    for item, path in zip(collected.items, found, strict=True):
        if path is None:
            report.add(_MISSING, item.identity, item.path)
        else:
            kept.append(dataclasses.replace(item, path=path))
    if not kept:
        raise DataError(
            f"{folder}: none of {len(collected.items)} audio files is there, for instance "
            f"{collected.items[0].path if collected.items else '?'}; wanted the folder in which "
            "they are (--audio)"
        )
    return dataclasses.replace(collected, items=kept)


def _found(item: Item, folder: Path) -> str | None:
    for path in (item.path, *item.others):
        if (folder / path).is_file():
            return path
    return None


def _count(tracks: Tracks, kind: str, published: int, report: Report) -> None:
    table = tracks.table
    lengths = np.asarray(pc.list_value_length(table["labels"]), np.int64)
    report.count("tracks published", published)
    report.count("tracks", len(tracks))
    report.count("classes", len(tracks.classes))
    report.count("tracks with none of the classes", int((lengths == 0).sum()))
    codes = pc.index_in(pc.list_flatten(table["labels"]).combine_chunks(), _names(tracks.classes))
    split = np.asarray(pc.index_in(table["split"].combine_chunks(), _names(SPLITS)), np.int8)
    labels = Ragged(offsets_of(lengths), np.asarray(codes, np.int64))
    report_splits(split, labels, table["group"], tracks.classes, report)
    if len(tracks) < published:
        report.note(
            f"a part of the data set: audio of {len(tracks):,} of {published:,} tracks is there; "
            "scores on it are not comparable with published ones"
        )
    wanted = TABLE_2.get(kind)
    if wanted is None:
        return
    found = (published, len(tracks.classes), round(float(lengths.mean()), 2))
    paper = (wanted.tracks, wanted.labels, wanted.labels_of_a_track)
    same = "as in" if found[:2] == paper[:2] else "other than in"
    if kind in SPLIT_0:
        report.note(
            f"split 0 has {SPLIT_0[kind]:,} tracks, without tags that not every split has; the "
            "paper's Table 2 counts those of all tags"
        )
    report.note(
        f"{same} the paper's Table 2 ({wanted.title}, {wanted.split}): found {found[0]:,} tracks, "
        f"{found[1]} labels, {found[2]} a track; the paper has {paper[0]:,}, {paper[1]}, {paper[2]}"
    )


def _names(names: tuple[str, ...]) -> pa.Array:
    return pa.array(names, pa.string())
