"""What is told of a whole track, of what a model said of its segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import Model
from ..reading.families import SEPARATOR, strongest_by_family
from .describe import strongest
from .options import AnalysisOptions

_DIGITS = 6

Array = npt.NDArray[Any]

#: In `essentia_maest.results.columns` a vector is called by one, in `Analysis` by many.
COLUMN_OF = {"embeddings": "embedding", "predictions": "predictions"}


def held_seconds(
    starts: npt.NDArray[np.float64], segment_seconds: float, duration: float
) -> npt.NDArray[np.float64]:
    """Tell how many seconds of a track each of its segments holds, shape [segments]."""
    held: npt.NDArray[np.float64] = np.clip(duration - starts, 0.0, segment_seconds)
    return held


def means_of(arrays: Mapping[str, Array], held: npt.NDArray[np.float64]) -> dict[str, Array]:
    """Give a track's vectors: means over its segments, each weighed by what it holds of the track.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        Output -> shape [segments, values].
    held : numpy.ndarray
        As `held_seconds` gives it.

    Returns
    -------
    dict of str to numpy.ndarray
        Column -> float32, shape [values].
    """
    weights = (held if held.sum() > 0 else np.ones_like(held))[:, None]
    # As np.average, without what it checks, which takes longer than this.
    return {
        COLUMN_OF[name]: ((values * weights).sum(axis=0) / weights.sum()).astype(np.float32)
        for name, values in arrays.items()
    }


def means_of_file(model: Model, options: AnalysisOptions, path: str) -> dict[str, Array]:
    """Analyse a file that is in no table, and give the vectors of its row.

    Parameters
    ----------
    model : Model
        What analyses it.
    options : AnalysisOptions
        How.
    path : str
        The file.

    Returns
    -------
    dict of str to numpy.ndarray
        As `means_of`.

    Raises
    ------
    essentia_maest.errors.AudioFileError
        It cannot be decoded.
    """
    found = model.run_file(options.request, path, options.segments)
    held = held_seconds(found.start_seconds, found.segment_seconds, found.seconds)
    return means_of(found.outputs, held)


def top_labels(
    activations: npt.NDArray[np.float32], model: Model, options: AnalysisOptions
) -> list[dict[str, Any]]:
    """Name the strongest labels, of each family where the model has families.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [classes].
    model : Model
        Whose classes these are.
    options : AnalysisOptions
        Whose ``top_k``.

    Returns
    -------
    list of dict
        ``family`` (None without families), ``label``, ``activation``.
    """
    count = options.top_k
    if not model.label_families:
        named = strongest(activations, model.labels, count)
        return [{"family": None, **label} for label in named]
    found = strongest_by_family(activations, model.labels, model.label_families, count, _DIGITS)
    return [
        {"family": family, "label": family + SEPARATOR + name, "activation": activation}
        for family, names in found.items()
        for name, activation in names.items()
    ]
