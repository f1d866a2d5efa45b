"""What became of each track of a shard: kept beside it, so that a resumed run knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from essentia_maest.files import written_whole

from ..errors import DataError
from .shards import FORMAT, Mel, Shard, ShardWriter
from .statistics import Sums, sums_of

SHARDS = "shards"

_SCHEMA = pa.schema(
    [
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("total", pa.float64(), nullable=False),
        pa.field("squares", pa.float64(), nullable=False),
        # Why the track is not in the shard; null if it is.
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class Spectrogram:
    """A track that is to be stored.

    Attributes
    ----------
    mel : numpy.ndarray, shape [frames, 96], float16
    sums : Sums
    """

    mel: Mel
    sums: Sums

    @classmethod
    def of(cls, mel: Mel) -> Spectrogram:
        """Add up the frames of a track."""
        return cls(mel, sums_of(mel))


@dataclass(frozen=True)
class Refusal:
    """A track that cannot be used.

    Attributes
    ----------
    reason : str
        The kind of reason, the same for many tracks; they are counted by it.
    detail : str
        What was found and what is wanted.
    """

    reason: str
    detail: str


class ShardBuilder:
    """Takes the tracks of a shard, usable or not, one after the other.

    Parameters
    ----------
    writer : ShardWriter
        Gets the usable ones.
    """

    def __init__(self, writer: ShardWriter) -> None:
        self._writer = writer
        self._rows: list[tuple[int, float, float, str | None, str | None]] = []

    def append(self, name: str, outcome: Spectrogram | Refusal) -> None:
        """Take the next track of the tracks table, usable or not."""
        if isinstance(outcome, Refusal):
            self._rows.append((0, 0.0, 0.0, outcome.reason, outcome.detail))
        else:
            self._writer.append(name, outcome.mel)
            self._rows.append((len(outcome.mel), *outcome.sums, None, None))

    def outcomes(self, shard_bytes: int) -> pa.Table:
        """Give the outcomes, a row a track; `shard_bytes` is the size of the shard."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(_SCHEMA)
        metadata = {"maest.format": FORMAT, "maest.shard_bytes": str(shard_bytes)}
        schema = _SCHEMA.with_metadata(metadata)
        return pa.table(
            [pa.array(list(column), field.type) for column, field in
             zip(columns, schema, strict=True)],
            schema=schema,
        )  # fmt: skip


@contextmanager
def written_shard(folder: Path, number: int) -> Iterator[ShardBuilder]:
    """Write a shard and, beside it, what became of its tracks, when all went well.

    Parameters
    ----------
    folder : Path
        The data set.
    number : int
        The shard.

    Yields
    ------
    ShardBuilder
        An error after it leaves nothing.

    Raises
    ------
    OSError
        A file could not be written.
    """
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    # The shard gets its name last: where it is, its outcomes are.
    with written_whole(shard_path(folder, number)) as place:
        with ShardWriter(place) as writer:
            builder = ShardBuilder(writer)
            yield builder
        outcomes = builder.outcomes(place.stat().st_size)
        with (
            written_whole(outcomes_path(folder, number)) as beside,
            pa.OSFile(str(beside), "wb") as sink,
            pa.ipc.new_file(sink, outcomes.schema) as table,
        ):
            table.write_table(outcomes)


@dataclass(frozen=True)
class Outcomes:
    """What became of the tracks of a shard.

    Attributes
    ----------
    table : pyarrow.Table
        A row for each of its tracks in the tracks table: frames (0 if refused), total, squares,
        reason and detail (null unless refused).
    shard_bytes : int
        Size of the shard.
    """

    table: pa.Table
    shard_bytes: int

    @property
    def usable(self) -> pa.ChunkedArray:
        """Which tracks are in the shard."""
        return self.table["reason"].is_null()

    def spectrograms(self, folder: Path, number: int) -> dict[int, Spectrogram | Refusal]:
        """Open the shard's tracks, by their place among the rows of the tracks table.

        Raises
        ------
        DataError
            The shard is damaged.
        """
        shard = Shard(shard_path(folder, number))
        places = np.flatnonzero(np.asarray(self.usable))
        if len(places) != len(shard):
            raise DataError(
                f"{shard_path(folder, number)}: holds {len(shard)} tracks, wanted {len(places)}"
            )
        totals, squares = self.table["total"], self.table["squares"]
        return {
            int(place): Spectrogram(
                shard.read(row), Sums(totals[int(place)].as_py(), squares[int(place)].as_py())
            )
            for row, place in enumerate(places)
        }


def read_outcomes(folder: Path, number: int, tracks: int) -> Outcomes | None:
    """Read what became of a shard's tracks.

    Parameters
    ----------
    folder : Path
        The data set.
    number : int
        The shard.
    tracks : int
        How many rows of the tracks table it is for.

    Returns
    -------
    Outcomes or None
        None if the shard is not there or not whole, so that it has to be made.

    Raises
    ------
    DataError
        It was made for another number of tracks.
    """
    path = outcomes_path(folder, number)
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        size = shard_path(folder, number).stat().st_size
        whole = size == int((table.schema.metadata or {}).get(b"maest.shard_bytes", b"-1"))
    # Also what Arrow says of a damaged file.
    except (OSError, ValueError):
        return None
    if not table.schema.equals(_SCHEMA):
        raise DataError(f"{path}: wanted the columns {_SCHEMA.names}, found {table.schema}")
    if table.num_rows != tracks:
        raise DataError(f"{path}: holds {table.num_rows} tracks, wanted {tracks}")
    return Outcomes(table, size) if whole else None


def shard_path(folder: Path, number: int) -> Path:
    """Return where a shard is."""
    return folder / SHARDS / f"{number:06d}.arrow"


def outcomes_path(folder: Path, number: int) -> Path:
    """Return where the outcomes of a shard's tracks are."""
    return folder / SHARDS / f"{number:06d}.outcomes.arrow"
