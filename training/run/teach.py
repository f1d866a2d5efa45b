"""A teacher's activations over a whole data set (paper, footnote 5)."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from essentia_maest.progress import ProgressDisplay
from training.data.teacher_activations import (
    TeacherRecord,
    dataset_fingerprint,
    read_record,
    record_path,
    write_record,
)
from training.errors import DataError

from .inference import (
    DEFAULT_COMPUTING,
    Computing,
    Predictor,
    Trained,
    load_trained,
    open_dataset,
)
from .predicting import Windows

_log = logging.getLogger("training")
_PORTION = 4096


def teach(
    checkpoint: Path,
    output: Path,
    *,
    dataset: Path | None = None,
    averaged: bool = True,
    windows: Windows = "all",
    computing: Computing = DEFAULT_COMPUTING,
) -> None:
    """Write what a trained network says of every track, for a student to learn from.

    Parameters
    ----------
    checkpoint : path
        The teacher.
    output : path
        `.npy` file, float16 [tracks, classes] of activations, for `recipe.teacher.activations`;
        a file of the same teacher and data set that was left unfinished is gone on with.
    dataset : path, optional
        By default the data set that the teacher was trained on.
    averaged : bool
        The mean weights rather than the last.
    windows : {"centre", "all"}
        The central segment of each track, or the mean activations of all its segments.
    computing : Computing
        Batch, workers, accelerator and precision.
    """
    if output.suffix != ".npy":
        raise DataError(f"{output}: activations are written to a .npy file")
    trained = load_trained(checkpoint, averaged=averaged)
    store = open_dataset(trained, dataset)
    record = TeacherRecord(
        dataset=dataset_fingerprint(store),
        checkpoint=_fingerprint(trained, averaged=averaged, windows=windows),
        tracks=len(store),
        classes=len(store.classes),
        done=0,
    )
    record = replace(record, done=_done(output, record))
    _write(output, record, Predictor(trained, store, computing), windows)
    _log.info("%s: activations of %d tracks", output, len(store))


def _write(output: Path, record: TeacherRecord, predictor: Predictor, windows: Windows) -> None:
    if record.done == 0:
        # First the description: what stands beside it is then never another teacher's.
        write_record(output, record)
        shape = (record.tracks, record.classes)
        values = np.lib.format.open_memmap(output, "w+", np.float16, shape)
    else:
        values = np.lib.format.open_memmap(output, "r+")
    left = record.tracks - record.done
    with ProgressDisplay("activations", left, unit="tracks", forks=True) as display:
        for start in range(record.done, record.tracks, _PORTION):
            indices = np.arange(start, min(start + _PORTION, record.tracks), dtype=np.int64)
            found = predictor.activations(indices, windows)
            values[indices[0] : indices[-1] + 1] = found.numpy().astype(np.float16)
            values.flush()
            write_record(output, replace(record, done=int(indices[-1]) + 1))
            display.advance(len(indices))


def _done(output: Path, wanted: TeacherRecord) -> int:
    """Count the tracks that an earlier run left, if it was of the same teacher and data set."""
    if not record_path(output).exists():
        if output.exists():
            raise DataError(f"{output}: exists, and is not a teacher's activations")
        return 0
    found = read_record(output)
    if replace(found, done=0) != wanted:
        raise DataError(f"{output}: exists, of another teacher, data set or windows")
    if found.done == 0 or not output.exists():
        return 0
    try:
        shape = np.load(output, mmap_mode="r", allow_pickle=False).shape
    except (OSError, ValueError) as error:
        raise DataError(f"{output}: cannot be gone on with: {error}") from None
    if shape != (wanted.tracks, wanted.classes):
        raise DataError(f"{output}: shape {shape}, wanted {(wanted.tracks, wanted.classes)}")
    return found.done


def _fingerprint(trained: Trained, *, averaged: bool, windows: Windows) -> str:
    digest = hashlib.sha256(f"{windows} {averaged}".encode())
    for name, value in trained.network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()
