"""What is written about tracks, models and runs, as JSON has it."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from ..files import sha256_of
from ..front_end import SAMPLE_RATE
from ..installed import version_of
from ..model import Model
from ..reading.families import strongest_by_family
from .analysis import Analysis
from .audio_status import size_and_mtime
from .flags import flags_of
from .messages import Facts
from .options import AnalysisOptions

_ACTIVATION_DIGITS = 6


def describe_track(
    path: str, facts: Facts, model: Model, options: AnalysisOptions, analysis: Analysis
) -> dict[str, Any]:
    """Describe one track's results.

    Parameters
    ----------
    path : str
        The audio file.
    facts : Facts
        What its decoder told.
    model : Model
        What analysed it.
    options : AnalysisOptions
        How.
    analysis : Analysis
        What came of it.

    Returns
    -------
    dict
        ``track``, ``file_size`` in bytes, ``file_mtime`` in ns since 1970, ``duration`` in
        seconds, ``decoder``, ``container`` and ``codec``, ``flags`` (see `flags_of`),
        ``segments`` with ``start`` and ``end`` in seconds and, where there are predictions,
        ``top`` (labels with activations, the strongest first); ``top`` of the whole track is that
        of the mean over segments. For models whose classes come in families also
        ``families``, the strongest of each.

    Raises
    ------
    OSError
        The file is gone.
    """
    duration = facts.samples / SAMPLE_RATE
    segments: list[dict[str, Any]] = [
        {"start": round(start, 3), "end": round(min(start + analysis.segment_seconds, duration), 3)}
        for start in analysis.starts.tolist()
    ]
    size, mtime = size_and_mtime(path)
    described: dict[str, Any] = {
        "track": path,
        "file_size": size,
        "file_mtime": mtime,
        "duration": round(duration, 3),
        "decoder": facts.decoder,
        "container": facts.container,
        "codec": facts.codec,
        "flags": flags_of(facts),
    }
    predictions = analysis.arrays.get("predictions")
    if predictions is not None:
        mean = predictions.mean(axis=0, dtype=np.float64)
        described.update(_name_strongest(mean, model, options))
        for segment, activations in zip(segments, predictions, strict=True):
            segment.update(_name_strongest(activations, model, options))
    described["segments"] = segments
    return described


def strongest(
    activations: npt.NDArray[np.floating[Any]], labels: tuple[str, ...], count: int
) -> list[dict[str, Any]]:
    """Name the classes that are most present.

    Parameters
    ----------
    activations : numpy.ndarray
        Shape [classes].
    labels : tuple of str
        Names of the classes.
    count : int
        How many to name at the most.

    Returns
    -------
    list of dict
        ``label`` and ``activation``, the strongest first; equal ones in the order of `labels`.
    """
    order = np.argsort(-activations, kind="stable")[:count]
    return [
        {"label": labels[index], "activation": round(float(activations[index]), _ACTIVATION_DIGITS)}
        for index in order
    ]


def _name_strongest(
    activations: npt.NDArray[np.floating[Any]], model: Model, options: AnalysisOptions
) -> dict[str, Any]:
    named: dict[str, Any] = {"top": strongest(activations, model.labels, options.top_k)}
    if model.label_families:
        named["families"] = strongest_by_family(
            activations, model.labels, model.label_families, options.top_k, _ACTIVATION_DIGITS
        )
    return named


def describe_model(model: Model) -> dict[str, Any]:
    """Describe a model so that results made with it can be told from others.

    Parameters
    ----------
    model : Model
        Which one.

    Returns
    -------
    dict
        Name, file, its sha256, precision, and whether it is trained.
    """
    return {
        "name": model.name,
        "path": str(model.path.absolute()),
        "sha256": sha256_of(model.path),
        "precision": model.precision,
        "trained": model.trained,
    }


def untrained_warning(model: Model) -> str:
    """Say what the output of a model with random weights is worth.

    Parameters
    ----------
    model : Model
        Which one.

    Returns
    -------
    str
        One line.
    """
    return (
        f"model '{model.name}' is untrained (random weights): "
        "its predictions and embeddings say nothing about the music"
    )


def describe_versions() -> dict[str, str]:
    """Return the versions of what results depend on."""
    versions = {"python": platform.python_version(), "onnxruntime": _core.ort_version()}
    for name in ("essentia-maest", "essentia", "numpy", "soundfile"):
        versions[name] = version_of(name) or "unknown"
    return versions
