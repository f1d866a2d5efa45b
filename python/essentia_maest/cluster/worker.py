"""What runs on the machines of a cluster: a model opened once, and tracks analysed with it."""

from __future__ import annotations

import logging
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import log
from ..collection.analysing import Analysed
from ..collection.described import Described, Describing
from ..collection.messages import Long
from ..collection.one_track import OneTrack
from ..collection.options import AnalysisOptions
from ..collection.outcomes import Failure
from ..collection.scan import Track
from ..errors import UntrainedModelWarning
from ..model import Model
from ..origin import provenance


@dataclass(frozen=True)
class Asked:
    """What all tracks have in common.

    Attributes
    ----------
    options : AnalysisOptions
        How they are analysed.
    hashed : bool
        Whether their audio is hashed.
    describing : Describing or None
        What describes them there; None has what was analysed sent.
    log_level : int
        From which on what is logged is sent back.
    """

    options: AnalysisOptions
    hashed: bool
    describing: Describing | None
    log_level: int


@dataclass(frozen=True)
class Opened:
    """A worker is ready.

    Attributes
    ----------
    node : str
        The machine's id.
    provenance : dict
        What computes and decodes there: see `essentia_maest.provenance`.
    """

    node: str
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What became of a track, and what was logged meanwhile."""

    outcome: Analysed | Described | Failure
    log: list[logging.LogRecord]


class TrackWorker:
    """A process of a cluster.

    It is made before the package's own files are looked at: whatever goes wrong with a model is an
    answer of `open`.
    """

    def __init__(self) -> None:
        self._tracks: OneTrack | None = None
        self._asked: Asked | None = None

    def open(self, model: bytes, name: str, asked: Asked) -> Opened:
        """Open the model.

        Parameters
        ----------
        model : bytes
            Of its file: machines may have others of the same name.
        name : str
            Of the file.
        asked : Asked

        Returns
        -------
        Opened
        """
        import ray

        with tempfile.TemporaryDirectory(prefix="essentia_maest-") as folder:
            path = Path(folder) / name
            path.write_bytes(model)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UntrainedModelWarning)
                opened = Model(path, num_threads=1)
        self._asked = asked
        self._tracks = OneTrack(opened, asked.options, hashed=asked.hashed)
        return Opened(ray.get_runtime_context().get_node_id(), provenance(opened))

    def analyse(self, track: Track) -> Told:
        """Analyse a track.

        Parameters
        ----------
        track : Track
            Which.

        Returns
        -------
        Told
        """
        assert self._tracks is not None  # `open` came before
        assert self._asked is not None
        with log.kept(self._asked.log_level) as kept:
            outcome = self._tracks.analyse(track)
            if isinstance(outcome, Analysed) and self._asked.describing is not None:
                described = self._asked.describing(outcome, self._tracks.model, self._asked.options)
                return Told(described, kept)
        assert not isinstance(outcome, Long)  # none was said to be
        return Told(outcome, kept)
