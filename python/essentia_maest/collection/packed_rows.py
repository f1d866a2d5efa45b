"""A track's rows, packed where they are made: whoever passes them on need not look into them."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator, Sequence
from typing import Any, overload

from ..model import Model
from ..results.parquet import as_half
from .options import AnalysisOptions
from .rows_memory import SLOT_BYTES, WORTH_BYTES, Stored, store
from .sinks import Analysed
from .track_rows import TrackRows, id_of, rows_of_track

_PROTOCOL = 5


class PackedLabels(Sequence[dict[str, Any]]):
    """The strongest labels of a track, as `top_labels` gives them, unpacked when they are read.

    Parameters
    ----------
    labels : sequence of dict
        What to pack.
    """

    def __init__(self, labels: Sequence[dict[str, Any]]) -> None:
        self._packed = pickle.dumps(list(labels), _PROTOCOL)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Give one, or some, of them."""
        return self._labels()[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give all, unpacked once."""
        return iter(self._labels())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._labels())

    def _labels(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pickle.loads(self._packed)
        return found


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """What is to be written about a track.

    Attributes
    ----------
    id : int
        Of the track; see `id_of`.
    content : bytes or Stored
        Its `TrackRows`, but for ``id``.
    bytes : int
        What the vectors take in memory.
    labels : PackedLabels
        The strongest; perhaps none.
    provenance : dict or None
        What computed it, where that is not what the run tells.
    """

    id: int
    content: bytes | Stored
    bytes: int
    labels: PackedLabels
    provenance: dict[str, Any] | None = None

    @classmethod
    def of(cls, rows: TrackRows, provenance: dict[str, Any] | None = None) -> PackedRows:
        """Pack the rows of a track."""
        return cls(
            id_of(rows.values, set()),
            pickle.dumps(rows.parts, _PROTOCOL),
            rows.bytes,
            PackedLabels(rows.values.get("top", ())),
            provenance,
        )

    def stored(self, descriptor: int, slot: int) -> PackedRows:
        """Give it with its content in a slot of a `RowsMemory`, if that is worth it."""
        content = self.content
        if isinstance(content, Stored) or not WORTH_BYTES <= len(content) <= SLOT_BYTES:
            return self
        try:
            return dataclasses.replace(self, content=store(descriptor, slot, content))
        except OSError:  # no memory is left for it
            return self

    @property
    def slot(self) -> int | None:
        """Where its content is; None if it is here."""
        return self.content.slot if isinstance(self.content, Stored) else None

    def computed_by(self, provenance: dict[str, Any] | None) -> PackedRows:
        """Give it with what computed it."""
        return dataclasses.replace(self, provenance=provenance)


def unpacked(content: bytes) -> TrackRows:
    """Give the rows that `PackedRows` holds."""
    return TrackRows(*pickle.loads(content))


def packed_rows_of(
    analysed: Analysed,
    model: Model,
    options: AnalysisOptions,
    *,
    segments: bool = True,
    embeddings: str = "float32",
) -> PackedRows:
    """Make the rows of a track, and pack them.

    Parameters
    ----------
    analysed, model, options
        See `rows_of_track`.
    segments : bool
        Whether segments have rows.
    embeddings : {"float32", "float16"}
        What they are kept in.

    Returns
    -------
    PackedRows

    Raises
    ------
    OSError
        The file is gone.
    """
    rows = rows_of_track(analysed, model, options)
    if not segments:
        rows = rows.without_segments()
    if embeddings == "float16":
        for vectors in (rows.vectors, rows.segment_vectors):
            if "embedding" in vectors:
                vectors["embedding"] = as_half(vectors["embedding"])
    return PackedRows.of(rows, analysed.provenance)
