"""Where results go: what every format is asked to do."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import InvalidArgumentError
from ..model import Model
from .analysis import Analysis
from .messages import Facts
from .options import CSV, FILES, FORMATS, AnalysisOptions
from .outcomes import Failure, StageSeconds
from .rows_memory import RowsMemory
from .scan import Track


@dataclasses.dataclass(frozen=True)
class RunFacts:
    """What all results of a run have in common.

    Attributes
    ----------
    model : Model
        What computes them.
    options : AnalysisOptions
        How.
    common : dict
        As JSON has it: ``trained``, ``model``, ``options``, ``provenance``, perhaps ``warning``.
    """

    model: Model
    options: AnalysisOptions
    common: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Analysed:
    """A track, and what came of it.

    Attributes
    ----------
    track : Track
        Which.
    facts : Facts
        What its decoder told.
    analysis : Analysis
        What the model says.
    flags : dict
        What is remarkable: see `essentia_maest.collection.flags`.
    seconds : StageSeconds
        What it took, but for writing.
    provenance : dict or None
        What computed it, where that is not what the run tells.
    """

    track: Track
    facts: Facts
    analysis: Analysis
    flags: dict[str, Any]
    seconds: StageSeconds = dataclasses.field(default_factory=StageSeconds)
    provenance: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Earlier:
    """A result of an earlier run, of the same audio, model and options.

    Attributes
    ----------
    flags : dict
        What is remarkable about the track.
    provenance
        What computed it; not a dict where nobody recorded it.
    """

    flags: dict[str, Any]
    provenance: Any


class ResultSink(Protocol):
    """Where results go.

    `describe` and `track` are called in the threads that analyse; where there is
    `describe_elsewhere`, that perhaps in other processes, and `track` in the caller's own thread,
    as all else is.
    """

    @property
    def path(self) -> Path:
        """The folder, for messages."""

    @property
    def hashes(self) -> bool:
        """Whether it keeps hashes of audio: workers that decode make them."""

    @property
    def describe_elsewhere(self) -> Callable[[Analysed, Model, AnalysisOptions], Any] | None:
        """What does as `describe` does, and can be sent to other processes.

        There, `track` takes next to no time: one thread may do it for all tracks. None if there is
        no such thing.
        """

    @property
    def memory(self) -> RowsMemory | None:
        """Where other processes may leave what they described; None if they send it."""

    @property
    def unwritten(self) -> int:
        """Tracks that were given, and are not on the disk."""

    def open(self, run: RunFacts, *, resume: bool) -> None:
        """Learn what all results have in common.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            What is there does not go with it.
        """

    def find(self, tracks: Sequence[Track]) -> list[Earlier | None]:
        """Tell which tracks have results of the same audio, model and options."""

    def begin(self, waiting: Sequence[Track]) -> None:
        """Make ready for tracks that are to be analysed: no earlier result speaks for them."""

    def describe(self, analysed: Analysed) -> Any:
        """Make of a track what `track` writes."""

    def track(self, described: Any) -> None:
        """Take a track's results. They are on the disk at the latest after `flush`.

        Raises
        ------
        OSError
            They, or others that were waiting, could not be written.
        """

    def failure(self, failure: Failure, track: Track | None) -> None:
        """Take a failure, of a track or of something else."""

    def flush(self) -> None:
        """Bring onto the disk what is not there.

        Raises
        ------
        OSError
            It could not be.
        """

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the account of a run, after `flush`.

        Raises
        ------
        OSError
            It could not be written.
        """

    def close(self) -> None:
        """Let others write there; what is read of it can still be asked for."""

    def labels(self, described: Any) -> Sequence[dict[str, Any]]:
        """Give ``family``, ``label`` and ``activation`` of the strongest labels of a track."""

    def told(self, track: Track) -> dict[str, Any]:
        """Give ``top``, and perhaps ``families``, of a track that is done; perhaps nothing."""


def make_sink(
    kind: str,
    folder: str | os.PathLike[str],
    embeddings: str = "float32",
    *,
    writes: bool = True,
) -> ResultSink:
    """Make what a format's name stands for.

    Parameters
    ----------
    kind : {"parquet", "files", "csv"}
        The format.
    folder : str or os.PathLike
        For the results; tables may go to a URL.
    embeddings : {"float32", "float16"}
        What embeddings are kept in.
    writes : bool
        False where nothing will be written.

    Returns
    -------
    ResultSink

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        Nothing can be written there, there is no such format, or it keeps float32 only.
    """
    from .results import ResultFolder
    from .table_sink import TableSink

    if kind not in FORMATS:
        raise InvalidArgumentError(f"format is {kind!r}; wanted: {', '.join(FORMATS)}")
    if kind == FILES and embeddings != "float32":
        raise InvalidArgumentError(
            f"format files keeps embeddings in float32, not in {embeddings}; wanted: format "
            "parquet or csv"
        )
    if kind == FILES:
        return ResultFolder(folder, writes=writes)
    return TableSink(folder, embeddings=embeddings, csv=kind == CSV, writes=writes)
