"""Segments of a data set as the network takes them: torch data sets for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from essentia_maest.front_end import MEL_BANDS
from essentia_maest.making.metadata import segment_hop_frames

from ..errors import ConfigError, DataError
from ..recipe.randomness import Purpose, numpy_generator
from .store import SpectrogramStore

_FRAMES_TOGETHER = 64

Augment = Callable[[npt.NDArray[np.float32], np.random.Generator], None]


class TeacherTargets(Protocol):
    """What a teacher says of each track."""

    def __getitem__(self, track: int) -> npt.NDArray[np.float32]:
        """Return the teacher's targets for a track of the store, shape [classes]."""


class TrainingSegments(Dataset[dict[str, Any]]):
    """One epoch: a random segment of each track drawn.

    Parameters
    ----------
    store : SpectrogramStore
    order : numpy.ndarray, shape [positions], int64
        Tracks of the epoch, as the sampler drew them.
    segment_frames : int
        Frames of a segment.
    seed, epoch : int
        With the position, they decide every random draw; the number of workers does not.
    augment : callable, optional
        Changes a normalised segment, float32 [96, segment_frames], in place, with the generator.
    teacher : TeacherTargets, optional

    Notes
    -----
    Items are dicts: ``mel``, float32 [96, segment_frames], ``(x - mean) / (2 std)``; ``targets``,
    float32 [classes], NaN where unknown; ``track``, its index in the store; with a teacher,
    ``teacher``, float32 [classes].
    """

    def __init__(
        self,
        store: SpectrogramStore,
        order: npt.NDArray[np.int64],
        *,
        segment_frames: int,
        seed: int,
        epoch: int,
        augment: Augment | None = None,
        teacher: TeacherTargets | None = None,
    ) -> None:
        self._store = store
        self._order = _checked(store, order, segment_frames)
        self._frames = segment_frames
        self._seed = seed
        self._epoch = epoch
        self._augment = augment
        self._teacher = teacher

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return the segment at a position of the epoch."""
        _check_position(position, len(self))
        track = int(self._order[position])
        spare = int(self._store.frames[track]) - self._frames
        start = 0
        if spare > 0:
            start = int(self._generator(Purpose.CROP, position).integers(spare + 1))
        mel = normalised_segment(self._store, track, start, self._frames)
        if self._augment is not None:
            self._augment(mel.numpy(), self._generator(Purpose.SPEC_AUGMENT, position))
        item = _item(self._store, track, mel)
        if self._teacher is not None:
            item["teacher"] = torch.from_numpy(self._teacher[track])
        return item

    def _generator(self, purpose: Purpose, position: int) -> np.random.Generator:
        return numpy_generator(self._seed, purpose, self._epoch, position)


class EvaluationSegments(Dataset[dict[str, Any]]):
    """Fixed segments of tracks; items as in `TrainingSegments`, without a teacher.

    Parameters
    ----------
    store : SpectrogramStore
    indices : numpy.ndarray, shape [tracks], int64
    segment_frames : int
    windows : {"centre", "all"}
        The middle segment of each track, or every full one from its beginning, end to end as the
        engine lays them (`essentia_maest.making.metadata.segment_hop_frames`); at least one.
    """

    def __init__(
        self,
        store: SpectrogramStore,
        indices: npt.NDArray[np.int64],
        segment_frames: int,
        windows: Literal["centre", "all"] = "centre",
    ) -> None:
        if windows not in ("centre", "all"):
            raise ConfigError(f"windows is {windows!r}; wanted 'centre' or 'all'")
        self._store = store
        self._indices = _checked(store, indices, segment_frames)
        self._frames = segment_frames
        self._hop = segment_hop_frames(segment_frames)
        self._centre = windows == "centre"
        spare = np.maximum(store.frames[self._indices].astype(np.int64) - segment_frames, 0)
        counts = np.ones_like(spare) if self._centre else 1 + spare // self._hop
        # Of the first segment of the track that follows.
        self._ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Return a segment; those of a track follow each other."""
        _check_position(position, len(self))
        place = int(np.searchsorted(self._ends, position, side="right"))
        track = int(self._indices[place])
        if self._centre:
            start = max(0, (int(self._store.frames[track]) - self._frames) // 2)
        else:
            first = int(self._ends[place - 1]) if place else 0
            start = (position - first) * self._hop
        return _item(
            self._store, track, normalised_segment(self._store, track, start, self._frames)
        )


def normalised_segment(
    store: SpectrogramStore, track: int, start: int, segment_frames: int
) -> torch.Tensor:
    """Read a segment as the network takes it.

    Parameters
    ----------
    store : SpectrogramStore
    track : int
    start : int
        First frame.
    segment_frames : int
        A shorter track is put in the middle of silence (0 before normalisation).

    Returns
    -------
    torch.Tensor, shape [96, segment_frames], float32
        ``(x - mean) / (2 std)``.
    """
    frames = min(segment_frames, int(store.frames[track]) - start)
    stored = store.read(track, start, frames)
    before = (segment_frames - frames) // 2
    mel = (np.empty if frames == segment_frames else np.zeros)(
        (MEL_BANDS, segment_frames), np.float16
    )
    # Transposed in pieces that stay in the first cache: half the time.
    for first in range(0, frames, _FRAMES_TOGETHER):
        piece = stored[first : first + _FRAMES_TOGETHER]
        mel[:, before + first : before + first + len(piece)] = piece.T
    # torch turns halves to floats several times faster than NumPy.
    return torch.from_numpy(mel).float().sub_(store.mean).div_(2 * store.std)


def _item(store: SpectrogramStore, track: int, mel: torch.Tensor) -> dict[str, Any]:
    return {"mel": mel, "targets": torch.from_numpy(store.targets(track)), "track": track}


def _checked(
    store: SpectrogramStore, indices: npt.NDArray[np.int64], segment_frames: int
) -> npt.NDArray[np.int64]:
    if segment_frames < 1:
        raise ConfigError(f"segment_frames is {segment_frames}; wanted 1 or more")
    indices = np.asarray(indices, np.int64)
    if len(indices) and not 0 <= indices.min() <= indices.max() < len(store):
        raise DataError(
            f"{store.folder}: holds {len(store)} tracks; wanted are {indices.min()} to "
            f"{indices.max()}"
        )
    return indices


def _check_position(position: int, length: int) -> None:
    # The one that Python's iteration protocol ends on.
    if not 0 <= position < length:
        raise IndexError(f"position {position} of {length} segments")
