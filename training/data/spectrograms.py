"""Make a data set: decode every track of a table, keep the mel spectrogram of its middle."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from essentia_maest import _core
from essentia_maest.errors import MaestError
from essentia_maest.files import remove_unfinished, write_json
from essentia_maest.front_end import FRAMES_PER_SECOND
from essentia_maest.making.weights import PATCH_SIZE

from ..errors import DataError
from .excerpt import excerpt
from .index import finish_dataset
from .locking import sole_writer
from .making import Making
from .outcomes import SHARDS
from .report import Report
from .shards import FORMAT, FRONT_END
from .tracks import read_tracks

OPTIONS = "options.json"


def make_spectrograms(
    tracks: Path,
    dataset: Path,
    *,
    workers: int | None = None,
    seconds: float = 30.0,
    shortest_seconds: float = 20.0,
    shard_tracks: int = 1024,
    retry_refused: bool = False,
) -> Report:
    """Make a data set of mel spectrograms from a tracks table (paper, section 3.1).

    Interrupted, by whatever, it goes on where it was when the same command is run again, and the
    result is the same to the byte. Labels, groups and splits of the table may change between
    runs: only the index is made anew then.

    Parameters
    ----------
    tracks : Path
        The tracks table (Parquet).
    dataset : Path
        Folder of the data set; made if it is not there.
    workers : int, optional
        Processes that decode; by default the CPUs that this process may use.
    seconds : float
        Length that is cut from the middle of each track; all of a shorter one is taken.
    shortest_seconds : float
        Shorter tracks are left out.
    shard_tracks : int
        Tracks in a file; an interruption costs at most the work on so many.
    retry_refused : bool
        Decode the tracks again that an earlier run left out, for instance because a disk was
        away; else they stay out, but in shards that hold no track at all.

    Returns
    -------
    Report
        Also written into the folder: tracks by split, and those left out with the reason.

    Raises
    ------
    DataError
        An option or the table is wrong, the folder was begun with others, another process is
        writing it, or no training track is usable.
    """
    workers = _core.available_cpus() if workers is None else workers
    _check_options(workers, seconds, shortest_seconds, shard_tracks)
    table = read_tracks(tracks)
    work = partial(excerpt, seconds=seconds, shortest_seconds=shortest_seconds)
    with sole_writer(dataset):
        _check_same(
            dataset,
            {
                "format": FORMAT,
                "front_end": FRONT_END,
                "seconds": float(seconds),
                "shortest_seconds": float(shortest_seconds),
                "shard_tracks": shard_tracks,
                "tracks": len(table),
                "ids and paths, sha256": _digest(table.table, ("id", "path")),
            },
        )
        for folder in (dataset, dataset / SHARDS):
            remove_unfinished(folder)
        making = Making(table, dataset, work, workers=workers, shard_tracks=shard_tracks)
        try:
            making.run(retry_refused=retry_refused)
            return finish_dataset(
                dataset,
                table,
                making.outcomes(),
                shard_tracks=shard_tracks,
                seconds=float(seconds),
                shortest_seconds=float(shortest_seconds),
            )
        except OSError as error:
            raise DataError(f"{dataset}: cannot be written: {error}") from error
        except MaestError as error:
            raise DataError(str(error)) from error


def _check_options(
    workers: int, seconds: float, shortest_seconds: float, shard_tracks: int
) -> None:
    least = PATCH_SIZE / FRAMES_PER_SECOND
    if not least <= seconds < float("inf"):
        raise DataError(f"seconds is {seconds}; wanted {least:g} (one patch) or more")
    if not least <= shortest_seconds < float("inf"):
        raise DataError(f"shortest_seconds is {shortest_seconds}; wanted {least:g} or more")
    if workers < 1:
        raise DataError(f"workers is {workers}; wanted 1 or more")
    if shard_tracks < 1:
        raise DataError(f"shard_tracks is {shard_tracks}; wanted 1 or more")


def _check_same(folder: Path, options: dict[str, Any]) -> None:
    """Refuse to mix what was made with other options."""
    path = folder / OPTIONS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if any(folder.joinpath(SHARDS).glob("*.arrow")):
            raise DataError(f"{folder}: shards, but no {OPTIONS}: wanted a new folder") from None
        write_json(path, options)
        return
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    differences = [
        f"{name} was {found.get(name)!r}, is {value!r}"
        for name, value in options.items()
        if found.get(name) != value
    ]
    if differences:
        raise DataError(
            f"{folder}: was begun with other options ({'; '.join(differences)}); wanted the same, "
            "or a new folder"
        )


def _digest(table: pa.Table, columns: tuple[str, ...]) -> str:
    """Hash text columns, whatever chunks they come in."""
    digest = hashlib.sha256()
    for name in columns:
        text = pa.chunked_array(
            [chunk.cast(pa.large_binary()) for chunk in table[name].chunks], pa.large_binary()
        ).combine_chunks()
        _, offsets, data = text.buffers()
        ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
        digest.update(np.diff(ends).tobytes())
        digest.update(memoryview(data)[ends[0] : ends[-1]])
    return digest.hexdigest()
