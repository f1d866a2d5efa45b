"""One track's results, computed while its samples come."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from ..model import Model
from ..opened_model import Array
from .options import AnalysisOptions
from .outcomes import StageSeconds
from .scan import Track


class TrackAnalysis:
    """What is asked of a track, in memory that grows with the results only.

    However the samples are divided, results are, bit for bit, those of `Model.analyze`,
    `Model.predict` or `Model.embed` on all of them.

    Parameters
    ----------
    model : Model
        Shared by all tracks.
    options : AnalysisOptions
        What is asked.
    at_once : int
        Segments computed side by side.

    Raises
    ------
    essentia_maest.errors.InvalidArgumentError
        The model does not have what the options ask.
    """

    def __init__(self, model: Model, options: AnalysisOptions, at_once: int = 1) -> None:
        request = dataclasses.replace(options.request, batch_size=at_once)
        self._stream = model.open_stream(request)
        self._results: dict[str, list[Array]] = {name: [] for name in request.outputs}

    def push(self, samples: npt.NDArray[np.float32]) -> None:
        """Take the next samples.

        Parameters
        ----------
        samples : numpy.ndarray
            float32, shape [samples], mono at 16 kHz.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            One is not finite.
        """
        self._keep(self._stream.push(samples))

    def finish(self) -> dict[str, Array]:
        """End the track.

        Returns
        -------
        dict of str to numpy.ndarray
            "predictions" [segments, classes], "embeddings" [segments, values], or both; float32.

        Raises
        ------
        essentia_maest.errors.InvalidArgumentError
            The track is too short for a segment.
        """
        self._keep(self._stream.finish())
        return {kind: np.concatenate(parts) for kind, parts in self._results.items()}

    @property
    def seconds(self) -> StageSeconds:
        """Where the time went so far."""
        front_end, model = self._stream.seconds
        return StageSeconds(front_end=front_end, model=model)

    def _keep(self, outputs: tuple[Array, ...]) -> None:
        for parts, output in zip(self._results.values(), outputs, strict=True):
            if len(output):
                parts.append(output)


class GuardedAnalysis:
    """A `TrackAnalysis` whose error is told when the track has ended.

    A track that turns out undecodable counts as that, whatever the model said of its beginning.

    Parameters
    ----------
    track : Track
        Which one.
    model, options, at_once
        See `TrackAnalysis`.

    Attributes
    ----------
    samples : int
        How many were pushed.
    """

    def __init__(
        self, track: Track, model: Model, options: AnalysisOptions, at_once: int = 1
    ) -> None:
        self.track = track
        self.samples = 0
        self._analysis = TrackAnalysis(model, options, at_once)
        self._error: Exception | None = None

    @property
    def seconds(self) -> StageSeconds:
        """Where the time went so far."""
        return self._analysis.seconds

    def push(self, samples: Array) -> None:
        """Take the next samples; after an error, only count them."""
        self.samples += len(samples)
        if self._error is None:
            try:
                self._analysis.push(samples)
            except Exception as error:
                self._error = error

    def finish(self) -> dict[str, Array]:
        """End the track.

        Returns
        -------
        dict of str to numpy.ndarray
            As `TrackAnalysis.finish`.

        Raises
        ------
        Exception
            The first that `push` met, or what `TrackAnalysis.finish` raises.
        """
        if self._error is not None:
            raise self._error
        return self._analysis.finish()
