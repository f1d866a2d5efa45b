"""What is measured: anything that turns audio into features, and a MAEST model as one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.collection.track_summary import held_seconds
from essentia_maest.front_end import SAMPLE_RATE
from essentia_maest.request import Request

Audio = NDArray[np.float32]
Features = dict[str, NDArray[np.float32]]
"""By name; one vector [values] each for a whole track."""

ACTIVATIONS, EMBEDDING, LAST = "activations", "embedding", "last"
BLOCK = 7
"""Where the paper takes embeddings (section 4.1)."""


class System(Protocol):
    """What turns a track into features."""

    @property
    def name(self) -> str:
        """What tables call it, ``int8 F3T2`` for instance."""
        ...

    def features(self, audio: Audio) -> Features:
        """Compute features.

        Parameters
        ----------
        audio : float32 [samples]
            Mono, 16 kHz, 1 s or more.
        """
        ...


def track_mean(
    model: maest.Model, segments: NDArray[np.float32], samples: int
) -> NDArray[np.float32]:
    """Give the mean over a track's segments, each weighed by the seconds of the track it holds.

    Parameters
    ----------
    model : Model
        That computed them, segments end to end.
    segments : float32 [segments, values]
    samples : int
        Of the track, at 16 kHz.

    Returns
    -------
    float32 [values]
    """
    plan = model.plan(Request(("predictions",)))
    starts = plan.start_seconds(len(segments))
    held = held_seconds(starts, plan.segment_seconds, samples / SAMPLE_RATE)
    mean: NDArray[np.float32] = np.average(segments, axis=0, weights=held).astype(np.float32)
    return mean


class MaestSystem:
    """A model file, run by the engine with one thread.

    Parameters
    ----------
    path : Path
        The model file.
    name : str
    patchout : str
        ``F3T2`` for instance.
    last : bool
        Also give the features of the last block, from the same pass.

    Raises
    ------
    essentia_maest.errors.ModelError
        The file is no model.
    """

    def __init__(self, path: Path, name: str, patchout: str = "F0T0", *, last: bool = True) -> None:
        self.name = name
        self.patchout = patchout
        self._last = last
        with warnings.catch_warnings():
            # an untrained network is measured on purpose
            warnings.simplefilter("ignore", maest.UntrainedModelWarning)
            self._model = maest.Model(path, num_threads=1)

    @property
    def classes(self) -> tuple[str, ...]:
        """Of its activations."""
        return self._model.labels

    @property
    def tokens(self) -> int:
        """Tokens that a segment becomes."""
        silence = np.zeros(round(self._model.segment_seconds * SAMPLE_RATE), np.float32)
        found = self._model.tokens(silence, block=BLOCK, patchout=self.patchout)
        return int(found.shape[1])

    def analyze(self, audio: Audio) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Compute activations and embeddings in one pass, as `maest analyze` does.

        Returns
        -------
        activations : float32 [segments, classes]
        embeddings : float32 [segments, 3 * dim]
        """
        return self._model.analyze(audio, block=BLOCK, patchout=self.patchout, tail="repeat")

    def features(self, audio: Audio) -> Features:
        """Compute activations, embedding and, if asked for, last: means as `track_mean` gives them.

        Parameters
        ----------
        audio : float32 [samples]

        Returns
        -------
        dict of str to float32 [values]
            Activations of all classes; the tokens cls, dist and average, stacked, of block 7 and
            of the last block.
        """
        if not self._last or self._model.depth == BLOCK:
            activations, embeddings = self.analyze(audio)
            found = {
                ACTIVATIONS: track_mean(self._model, activations, len(audio)),
                EMBEDDING: track_mean(self._model, embeddings, len(audio)),
            }
            return found | ({LAST: found[EMBEDDING]} if self._last else {})
        activations, embeddings = self._model.analyze(
            audio, block=(BLOCK, self._model.depth), patchout=self.patchout, tail="repeat"
        )
        first, last = np.split(track_mean(self._model, embeddings, len(audio)), 2)
        mean = track_mean(self._model, activations, len(audio))
        return {ACTIVATIONS: mean, EMBEDDING: first, LAST: last}
