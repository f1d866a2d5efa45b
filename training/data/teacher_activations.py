"""A teacher's activations as targets of the distillation token (paper, footnote 5).

On disk: a `.npy` array float16 [tracks, classes] of activations (0 to 1) in the order of the data
set, and beside it a `.json` that says of which data set and checkpoint, and whether it is whole.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from essentia_maest.files import write_json
from training.errors import DataError

if TYPE_CHECKING:
    from training.data.store import SpectrogramStore

FORMAT = "essentia-maest teacher 1"


@dataclass(frozen=True)
class TeacherRecord:
    """What the file beside the activations says.

    Attributes
    ----------
    dataset, checkpoint : str
        Fingerprints: of the data set's tracks and classes, of the teacher's weights.
    tracks, classes : int
        The array's shape.
    done : int
        Tracks whose activations are written, from the first on.
    """

    dataset: str
    checkpoint: str
    tracks: int
    classes: int
    done: int
    format: str = FORMAT


def record_path(activations: Path) -> Path:
    """Name the file that describes activations."""
    return activations.with_suffix(".json")


def write_record(activations: Path, record: TeacherRecord) -> None:
    """Write the description, whole or not at all."""
    write_json(record_path(activations), asdict(record), indent=2)


def read_record(activations: Path) -> TeacherRecord:
    """Read the description of activations.

    Raises
    ------
    DataError
        It is missing, or is not such a file.
    """
    path = record_path(activations)
    try:
        record = TeacherRecord(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path}: no description of a teacher's activations ({error}); "
            "`python -m training teach` writes it"
        ) from None
    if record.format != FORMAT:
        raise DataError(f"{path}: format {record.format!r}, wanted {FORMAT!r}")
    return record


def dataset_fingerprint(store: SpectrogramStore) -> str:
    """Identify a data set by the names and order of its classes and tracks (SHA-256)."""
    digest = hashlib.sha256(json.dumps(list(store.classes)).encode())
    for start in range(0, len(store), 100_000):
        indices = np.arange(start, min(start + 100_000, len(store)))
        digest.update("\0".join(store.ids(indices)).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def hard_targets(activations: NDArray[np.floating], threshold: float) -> NDArray[np.float32]:
    """Turn a teacher's activations into labels.

    Parameters
    ----------
    activations : ndarray
        [..., classes] 0 to 1.
    threshold : float
        Labels are the classes above it (reference: 0.45).

    Returns
    -------
    ndarray
        [..., classes] float32 of 0 and 1; the highest alone where none is above.
    """
    hard = (activations > threshold).astype(np.float32)
    highest = np.zeros_like(hard)
    np.put_along_axis(highest, activations.argmax(axis=-1, keepdims=True), 1.0, axis=-1)
    return np.where(hard.any(axis=-1, keepdims=True), hard, highest)


class TeacherTargets:
    """The teacher's labels of any track of a data set, read when asked for.

    Parameters
    ----------
    activations : Path
        The `.npy` file.
    store : SpectrogramStore
        The data set that is trained on.
    threshold : float

    Raises
    ------
    DataError
        The file is missing, unfinished, or of another data set.
    """

    def __init__(self, activations: Path, store: SpectrogramStore, threshold: float) -> None:
        record = read_record(activations)
        if record.done != record.tracks:
            raise DataError(
                f"{activations}: activations of {record.done} of {record.tracks} tracks; run "
                "`python -m training teach` again to finish it"
            )
        if record.dataset != dataset_fingerprint(store):
            raise DataError(f"{activations}: made of another data set than the one trained on")
        self._path = activations
        self._threshold = threshold
        self._values: NDArray[np.float16] | None = None
        shape = (len(store), len(store.classes))
        if self._open().shape != shape:
            raise DataError(f"{activations}: shape {self._open().shape}, wanted {shape}")

    def __getitem__(self, track: int) -> NDArray[np.float32]:
        """Give the labels [classes] of a track of the data set."""
        return hard_targets(self._open()[track], self._threshold)

    def __getstate__(self) -> dict[str, object]:
        # Worker processes map the file anew rather than receive it.
        return {**self.__dict__, "_values": None}

    def _open(self) -> NDArray[np.float16]:
        if self._values is None:
            try:
                self._values = np.load(self._path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise DataError(f"{self._path}: cannot be read as an array: {error}") from None
        return self._values
