"""The index of a data set: the tracks that made it, with labels and place, in one Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from essentia_maest.files import written_whole
from essentia_maest.front_end import MEL_BANDS

from ..errors import DataError
from .description import DESCRIPTION, INDEX, Description, write_description
from .outcomes import Outcomes
from .report import Report
from .statistics import mean_and_deviation
from .tracks import SCHEMA as TRACKS_SCHEMA
from .tracks import SPLITS, Tracks

SCHEMA = pa.schema(
    [
        TRACKS_SCHEMA.field("id"),
        TRACKS_SCHEMA.field("path"),
        pa.field("shard", pa.int32()),
        pa.field("row", pa.int32()),
        pa.field("frames", pa.int32()),
        *(TRACKS_SCHEMA.field(name) for name in ("labels", "weights", "families", "group")),
        TRACKS_SCHEMA.field("split"),
    ]
)
REPORT = "spectrograms"
_ROWS_TOGETHER = 1 << 16


def finish_dataset(
    folder: Path,
    tracks: Tracks,
    outcomes: Iterable[Outcomes],
    *,
    shard_tracks: int,
    seconds: float,
    shortest_seconds: float,
) -> Report:
    """Write index and description once every shard is there.

    Parameters
    ----------
    folder : Path
        The data set.
    tracks : Tracks
        All tracks, usable or not.
    outcomes : iterable of Outcomes
        Of every shard, in order.
    shard_tracks : int
        Tracks of the table in each shard but the last.
    seconds, shortest_seconds : float
        For the description.

    Returns
    -------
    Report
        Tracks taken and left out. `dataset.json` is written last.

    Raises
    ------
    DataError
        No track of the training split is usable.
    """
    # While the index changes, the data set is not one.
    (folder / DESCRIPTION).unlink(missing_ok=True)
    report = Report()
    gathered = _Gathered()
    with written_whole(folder / INDEX) as place:
        with pq.ParquetWriter(place, SCHEMA, compression="zstd") as writer:
            for rows in _together(_index(tracks, outcomes, shard_tracks, report, gathered)):
                writer.write_table(rows)
        for split in SPLITS:
            report.count(f"tracks for {split}", gathered.splits[split])
        report.count("frames", gathered.frames)
        report.write(folder / REPORT)
        if gathered.splits["train"] == 0:
            raise DataError(
                f"{folder}: no track of the training split can be used. Of {len(tracks)} tracks:\n"
                + report.summary()
            )
        mean, deviation = gathered.statistics()
        index_bytes = place.stat().st_size
    description = Description(
        classes=list(tracks.classes),
        mean=mean,
        std=deviation,
        seconds=seconds,
        shortest_seconds=shortest_seconds,
        tracks=sum(gathered.splits.values()),
        frames=gathered.frames,
        splits=gathered.splits,
        refused=dict(report.refused),
        shard_bytes=gathered.shard_bytes,
        index_bytes=index_bytes,
        audio_folder=str(tracks.folder.absolute()),
    )
    write_description(folder, description)
    return report


def _index(
    tracks: Tracks,
    outcomes: Iterable[Outcomes],
    shard_tracks: int,
    report: Report,
    gathered: _Gathered,
) -> Iterator[pa.Table]:
    """Give the rows of each shard, and put down what the shards add up to."""
    for number, outcome in enumerate(outcomes):
        rows = tracks.table.slice(number * shard_tracks, shard_tracks)
        _report_refused(report, rows, outcome)
        indexed = _index_rows(rows, outcome, number)
        gathered.add(indexed, outcome)
        yield indexed


def _together(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Join small tables: Parquet reads few large row groups faster."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(len(table) for table in waiting) >= _ROWS_TOGETHER:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


class _Gathered:
    """What the shards add up to."""

    def __init__(self) -> None:
        self.splits = dict.fromkeys(SPLITS, 0)
        self.frames = 0
        self.shard_bytes: list[int] = []
        self._count = 0
        self._totals: list[np.ndarray] = []
        self._squares: list[np.ndarray] = []

    def add(self, rows: pa.Table, outcome: Outcomes) -> None:
        self.shard_bytes.append(outcome.shard_bytes)
        for split in SPLITS:
            self.splits[split] += pc.sum(pc.equal(rows["split"], split)).as_py() or 0
        self.frames += pc.sum(rows["frames"]).as_py() or 0
        used = outcome.table.filter(outcome.usable).filter(pc.equal(rows["split"], "train"))
        self._count += (pc.sum(used["frames"]).as_py() or 0) * MEL_BANDS
        self._totals.append(used["total"].to_numpy())
        self._squares.append(used["squares"].to_numpy())

    def statistics(self) -> tuple[float, float]:
        totals, squares = np.concatenate(self._totals), np.concatenate(self._squares)
        return mean_and_deviation(self._count, totals, squares)


def _index_rows(rows: pa.Table, outcome: Outcomes, number: int) -> pa.Table:
    used = rows.filter(outcome.usable)
    places = {
        "shard": pa.array(np.full(len(used), number, np.int32)),
        "row": pa.array(np.arange(len(used), dtype=np.int32)),
        "frames": outcome.table["frames"].filter(outcome.usable),
    }
    columns = [places.get(name, used[name] if name in used.column_names else None)
               for name in SCHEMA.names]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _report_refused(report: Report, rows: pa.Table, outcome: Outcomes) -> None:
    refused = pc.invert(outcome.usable)
    reasons, details = (outcome.table[name].filter(refused) for name in ("reason", "detail"))
    subjects = rows["id"].filter(refused)
    for reason in pc.unique(reasons).to_pylist():
        chosen = pc.equal(reasons, reason)
        report.add_many(reason, subjects.filter(chosen), details.filter(chosen))
