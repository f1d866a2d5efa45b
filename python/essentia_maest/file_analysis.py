"""What came of a file that was analysed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import InvalidArgumentError

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FileAnalysis:
    """What `Model.analyze_file` and `analyze_files` give.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    outputs : dict of str to numpy.ndarray
        What was asked for, float32, shape [segments, ...], under the names of `Request.outputs`.
    start_seconds : numpy.ndarray, shape [segments], float64
        Where each segment starts.
    seconds : float
        Length of the file, as far as it could be decoded.
    segment_seconds : float
        Length of a segment. The last one may reach past the end of the file: `Request.tail` tells
        what it is filled with.
    container, codec, decoder : str
        See `AudioFile`.
    ending : {"complete", "truncated", "damaged", "unknown"}
        See `AudioFile.ending`; unknown where only some segments of the file were decoded.
    seconds_promised : float or None
        Length that the file promises, if it does.
    damage : str or None
        What could not be decoded, in words.
    """

    path: Path
    outputs: dict[str, _Array]
    start_seconds: npt.NDArray[np.float64]
    seconds: float
    segment_seconds: float
    container: str
    codec: str
    decoder: str
    ending: str
    seconds_promised: float | None
    damage: str | None

    @property
    def predictions(self) -> _Array:
        """Activations, shape [segments, classes]."""
        return self._output("predictions")

    @property
    def embeddings(self) -> _Array:
        """Embeddings, shape [segments, len(tokens) * dim]."""
        return self._output("embeddings")

    def _output(self, name: str) -> _Array:
        if name not in self.outputs:
            raise InvalidArgumentError(
                f"{name} were not asked for; there are: {', '.join(self.outputs)}"
            )
        return self.outputs[name]


@dataclass(frozen=True)
class FileFailure:
    """What `analyze_files` gives for a file that came to nothing.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    stage : {"decode", "analyze"}
        What was being done.
    reason : str
        Why it failed, in one line.
    """

    path: Path
    stage: str
    reason: str
