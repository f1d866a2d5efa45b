"""The features of many tracks by one system, kept on the disk, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from essentia_maest import load_audio
from essentia_maest.collection.outcomes import Failure
from essentia_maest.collection.scan import Track
from essentia_maest.collection.worker_pool import WorkerPool
from essentia_maest.errors import MaestError
from essentia_maest.files import remove_unfinished, written_whole
from essentia_maest.progress import ProgressDisplay
from training.data.locking import sole_writer
from training.data.tracks import Tracks
from training.downstream.systems import Features, System
from training.errors import DataError, TrainingError

MakeSystem = Callable[[], System]
Rows = dict[str, Features]
"""Features of tracks, by track id."""

_IDS, _SIZES = "track ids", "audio bytes"


def extract(
    make_system: MakeSystem,
    key: str,
    tracks: Tracks,
    indices: Sequence[int] | NDArray[np.integer],
    cache: Path,
    *,
    workers: int,
    title: str = "features",
    block_tracks: int = 64,
) -> Features:
    """Compute a system's features of tracks, but for those that the cache has.

    Parameters
    ----------
    make_system : callable
        Makes the system; it is sent to worker processes, which have to be able to import it.
    key : str
        What the features depend on besides the audio: model, options. Another key, other files.
    tracks : Tracks
    indices : int [tracks wanted]
        Rows of the table.
    cache : Path
        Folder for features; a track's are reused while its audio file has the same size.
    workers : int
        Processes, each with one thread; with 1, the work is done in the calling one.
    title : str
        For the progress bar.
    block_tracks : int
        Tracks that are written together: what a killed run loses at most.

    Returns
    -------
    dict of str to float32 [tracks wanted, values]
        In the order of `indices`.

    Raises
    ------
    DataError
        When a track's audio is missing or cannot be used, the cache cannot be used, or another
        process is filling it.
    """
    if workers < 1 or block_tracks < 1:
        raise DataError(f"{workers} workers and blocks of {block_tracks}; wanted 1 or more of each")
    wanted = _audio_files(tracks, indices)
    folder = cache / _folder_name(key)
    with sole_writer(folder):
        remove_unfinished(folder)
        rows = _read_blocks(folder, wanted)
        missing = {name: path for name, (path, _) in wanted.items() if name not in rows}
        fresh: Rows = {}
        with ProgressDisplay(title, len(wanted)) as progress:
            progress.advance(len(rows))
            try:
                for identity, found in _compute(make_system, key, missing, workers):
                    fresh[identity] = found
                    progress.advance()
                    if len(fresh) == block_tracks:
                        rows |= _write_block(folder, fresh, wanted)
                        fresh = {}
            finally:  # also when interrupted
                if fresh:
                    rows |= _write_block(folder, fresh, wanted)
    return _stack([rows[identity] for identity in wanted])


def _audio_files(
    tracks: Tracks, indices: Sequence[int] | NDArray[np.integer]
) -> dict[str, tuple[Path, int]]:
    """Give path and size of each track's audio, by track id."""
    chosen = tracks.table.select(["id", "path"]).take(np.asarray(indices, np.int64))
    if not chosen.num_rows:
        raise DataError("no tracks to compute features of; wanted 1 or more")
    files = {}
    for identity, name in zip(chosen["id"].to_pylist(), chosen["path"].to_pylist(), strict=True):
        path = tracks.folder / name
        try:
            files[identity] = (path, path.stat().st_size)
        except OSError as error:
            raise DataError(f"track {identity}: {path}: {error.strerror}") from error
    return files


def _folder_name(key: str) -> str:
    """Name a folder for people, and by a digest of the whole key."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key)[:40].strip("-")
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _compute(
    make_system: MakeSystem, key: str, paths: Mapping[str, Path], workers: int
) -> Iterator[tuple[str, Features]]:
    """Compute features, each track's as soon as it is done."""
    if paths and workers == 1:
        yield from _in_this_process(make_system, paths)
    elif paths:
        yield from _in_processes(make_system, key, paths, workers)


def _in_this_process(
    make_system: MakeSystem, paths: Mapping[str, Path]
) -> Iterator[tuple[str, Features]]:
    system = make_system()
    for identity, path in paths.items():
        try:
            yield identity, system.features(load_audio(path))
        except (MaestError, TrainingError) as error:
            raise DataError(f"track {identity}: {error}") from error


def _in_processes(
    make_system: MakeSystem, key: str, paths: Mapping[str, Path], workers: int
) -> Iterator[tuple[str, Features]]:
    jobs = [Track(str(path), identity) for identity, path in paths.items()]
    identities = {job.path: job.result for job in jobs}
    # What the pool calls a result's name is the id.
    work = partial(_features_of, key, make_system)
    with WorkerPool(min(workers, len(jobs)), work) as pool:
        for outcome in pool.run(jobs):
            if isinstance(outcome, Failure):
                raise DataError(f"track {identities[outcome.path]}: {outcome.reason}")
            yield outcome.track.result, outcome.result


_systems: dict[str, System] = {}


def _features_of(key: str, make_system: MakeSystem, path: str) -> Features:
    """Compute a file's features in a worker; the system is made once per process."""
    if key not in _systems:
        _systems[key] = make_system()
    return _systems[key].features(load_audio(path))


def _read_blocks(folder: Path, wanted: Mapping[str, tuple[Path, int]]) -> Rows:
    rows: Rows = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as block:
                arrays = dict(block)
            ids, sizes = arrays.pop(_IDS), arrays.pop(_SIZES)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: not readable ({error}); delete it to go on") from error
        for row, (identity, size) in enumerate(zip(ids.tolist(), sizes.tolist(), strict=True)):
            if identity in wanted and wanted[identity][1] == size:
                rows[identity] = {name: array[row] for name, array in arrays.items()}
    return rows


def _write_block(folder: Path, rows: Rows, files: Mapping[str, tuple[Path, int]]) -> Rows:
    """Write tracks' features, and give them back, for they are safe now."""
    number = 1 + max((int(path.stem) for path in folder.glob("*.npz")), default=-1)
    arrays = {
        _IDS: np.array(list(rows)),
        _SIZES: np.array([files[identity][1] for identity in rows], np.int64),
        **_stack(list(rows.values())),
    }
    try:
        with written_whole(folder / f"{number:05d}.npz") as place, place.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error
    return rows


def _stack(rows: Sequence[Features]) -> Features:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
