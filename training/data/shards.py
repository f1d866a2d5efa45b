"""One shard: an Arrow IPC file with the mel spectrograms of some tracks, a record batch a track.

Uncompressed and memory mapped, so any frames of any track are read without touching the rest.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from essentia_maest.front_end import COMPRESSION, FRAME_SIZE, HOP_SIZE, MEL_BANDS, SAMPLE_RATE

from ..errors import DataError
from .places import opened

FORMAT = "essentia-maest spectrograms 1"

FRONT_END: dict[str, int | str] = {
    "sample_rate": SAMPLE_RATE,
    "frame_size": FRAME_SIZE,
    "hop_size": HOP_SIZE,
    "mel_bands": MEL_BANDS,
    "compression": COMPRESSION,
}
"""What the values are; written into every shard and data set, and checked when they are opened."""

Mel = npt.NDArray[np.float16]

_FRAME = pa.list_(pa.field("band", pa.float16(), nullable=False), MEL_BANDS)
_MEL = pa.large_list(pa.field("frame", _FRAME, nullable=False))
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("mel", _MEL, nullable=False),
    ],
    metadata={
        f"maest.{name}": str(value) for name, value in {"format": FORMAT, **FRONT_END}.items()
    },
)
# Position of the values among the buffers of a mel column, whose other buffer is the offsets.
_VALUES = 4


class ShardWriter:
    """Write a shard; a context manager, and the file is whole when it is left.

    Parameters
    ----------
    path : Path
        The file: give it the shard's name when it is whole.
    """

    def __init__(self, path: Path) -> None:
        with ExitStack() as held:
            sink = held.enter_context(pa.OSFile(str(path), "wb"))
            self._writer = held.enter_context(pa.ipc.new_file(sink, SCHEMA))
            self._held = held.pop_all()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *error: object) -> None:
        """Write what is left, and close the file."""
        self._held.close()

    def append(self, name: str, mel: Mel) -> None:
        """Add a track.

        Parameters
        ----------
        name : str
            Its id.
        mel : numpy.ndarray, shape [frames, 96], float16
        """
        values = pa.array(np.ascontiguousarray(mel).reshape(-1), pa.float16())
        frames = pa.FixedSizeListArray.from_arrays(values, type=_FRAME)
        offsets = pa.array([0, len(mel)], pa.int64())
        columns = [
            pa.array([name], pa.string()),
            pa.array([len(mel)], pa.int32()),
            pa.LargeListArray.from_arrays(offsets, frames, type=_MEL),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=SCHEMA))


class Shard:
    """A shard: memory mapped, or read track by track where it lies in object storage.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        The file is missing, cut short, damaged, or no shard of this format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._reader = pa.ipc.open_file(opened(path))
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: not a whole shard of spectrograms ({error})") from error
        found = self._reader.schema
        if found.metadata != SCHEMA.metadata or found != SCHEMA:
            raise DataError(
                f"{path}: wanted a shard of format {FORMAT!r} with {FRONT_END}, found the schema "
                f"{found.metadata or found.names}"
            )

    def __len__(self) -> int:
        """Return the number of tracks."""
        return int(self._reader.num_record_batches)

    def id(self, row: int) -> str:
        """Return the id of the track in a row."""
        return str(self._batch(row).column(0)[0].as_py())

    def read(self, row: int, start: int = 0, frames: int | None = None) -> Mel:
        """Read frames of a track.

        Parameters
        ----------
        row : int
        start : int
            First frame.
        frames : int, optional
            How many; all that follow if not given.

        Returns
        -------
        numpy.ndarray, shape [frames, 96], float16
            A read-only view of the memory map, valid for as long as it is kept.

        Raises
        ------
        DataError
            The row or the frames are not there, or the shard is damaged.
        """
        batch = self._batch(row)
        held = int(batch.column(1)[0].as_py())
        end = held if frames is None else start + frames
        if not 0 <= start <= end <= held:
            raise DataError(f"{self._path}: row {row} has {held} frames, wanted {start} to {end}")
        values = batch.column(2).buffers()[_VALUES]
        if values is None or values.size < held * MEL_BANDS * 2:
            raise DataError(f"{self._path}: row {row} is damaged; make the spectrograms again")
        mel: Mel = np.frombuffer(values, np.float16, held * MEL_BANDS).reshape(held, MEL_BANDS)
        return mel[start:end]

    def _batch(self, row: int) -> pa.RecordBatch:
        if not 0 <= row < len(self):
            raise DataError(f"{self._path}: holds {len(self)} tracks, wanted row {row}")
        try:
            batch = self._reader.get_batch(row)
            batch.validate(full=True)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self._path}: row {row} is damaged ({error})") from error
        if batch.num_rows != 1:
            raise DataError(f"{self._path}: row {row} holds {batch.num_rows} tracks, wanted one")
        return batch
