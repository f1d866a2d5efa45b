"""What a model file says about itself: its properties, and Essentia's metadata schema."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from essentia_maest import _core
from essentia_maest.errors import InvalidArgumentError, ModelError
from essentia_maest.front_end import (
    COMPRESSION,
    FRAME_SIZE,
    FRAMES_PER_SECOND,
    HOP_SIZE,
    MEL_BANDS,
    SAMPLE_RATE,
)
from essentia_maest.making.graph import OPSET, Precision
from essentia_maest.making.quantization_plan import QuantizationPlan
from essentia_maest.making.weights import GRID_ROWS, PATCH_SIZE, PATCH_STRIDE, ModelWeights
from essentia_maest.reading.families import METADATA_KEY, checked_families
from essentia_maest.reading.plain_text import is_plain

PREFIX = "maest."
FORMAT_VERSION = _core.MODEL_FORMAT
NORMALIZATION_MEAN = _core.front_end.normalization_mean
NORMALIZATION_STANDARD_DEVIATION = _core.front_end.normalization_divisor / 2
"""Both of the data set that the public models were trained on, Discogs20."""

_KEPT_FROM_SOURCE = (
    "link",
    "version",
    "description",
    "author",
    "email",
    "release_date",
    "model_types",
    "dataset",
    "citation",
)


@dataclass(frozen=True)
class ModelDescription:
    """What is said about a model besides its weights.

    Parameters
    ----------
    name : str
        Title of the model.
    description : str
    labels : tuple of str
        Names of the classes, in order.
    trained : bool
        False for random weights.
    license : str
        Licence of the weights.
    source : str
        What the weights were read from.
    source_sha256 : str
        SHA-256 of that file, or empty.
    upstream : mapping
        Metadata of the source in Essentia's schema, if there was any.
    mean, standard_deviation : float
        Of the mel spectrograms of the training set, in log10 units; the model's input is
        (x - mean) / (2 standard deviations).
    families : tuple of str
        The labels' families, where they answer several questions
        (`essentia_maest.reading.families`).

    Raises
    ------
    ModelError
        If the mean is not finite, or the standard deviation not positive, or the families are not
        those of the labels.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    trained: bool
    license: str
    source: str
    source_sha256: str
    upstream: Mapping[str, Any] = field(default_factory=dict)
    mean: float = NORMALIZATION_MEAN
    standard_deviation: float = NORMALIZATION_STANDARD_DEVIATION
    families: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the normalisation and the families."""
        checked_families(list(self.families), self.labels, self.name)
        if not (math.isfinite(self.mean) and 0 < self.standard_deviation < math.inf):
            raise ModelError(
                f"{self.name}: found a mean of {self.mean} and a standard deviation of "
                f"{self.standard_deviation}; wanted a number and a positive number"
            )


def segment_frames(columns: int) -> int:
    """Give the mel frames of a segment that fills a patch grid of so many columns."""
    return _core.patches.segment_frames(columns)


def grid_columns(seconds: float) -> int:
    """Give the columns of the patch grid of a segment of so many seconds.

    Raises
    ------
    InvalidArgumentError
        If that is less than one column.
    """
    columns = int(seconds * FRAMES_PER_SECOND / PATCH_STRIDE) if math.isfinite(seconds) else 0
    if columns < 1:
        raise InvalidArgumentError(
            f"a segment of {seconds} s: wanted at least {PATCH_STRIDE / FRAMES_PER_SECOND} s"
        )
    return columns


def segment_seconds(frames: int) -> float:
    """Give the nominal length of a segment: whole seconds, unless it is shorter than one."""
    seconds = frames / FRAMES_PER_SECOND
    return float(math.floor(seconds)) if seconds >= 1 else seconds


def segment_hop_frames(frames: int) -> int:
    """Give the frames between the starts of two segments that lie end to end."""
    return _core.patches.own_hop_frames(frames)


def check_labels(labels: Sequence[str], classes: int, origin: str) -> tuple[str, ...]:
    """Check labels against the number of classes.

    Raises
    ------
    ModelError
        If their number is another one, or a label is empty, comes twice, or has a character that
        cannot be printed (a line break, a terminal's control sequence).
    """
    if len(labels) != classes:
        raise ModelError(f"{origin}: found {len(labels)} labels, the model has {classes} classes")
    for position, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip() or not is_plain(label):
            raise ModelError(
                f"{origin}: label {position} is {label!r}; wanted one line of text, not empty and "
                "without control characters"
            )
    label, count = Counter(labels).most_common(1)[0]
    if count > 1:
        raise ModelError(f"{origin}: label {label!r} comes {count} times; wanted every label once")
    return tuple(labels)


def essentia_metadata(description: ModelDescription, weights: ModelWeights) -> dict[str, Any]:
    """Give a model's metadata in Essentia's schema."""
    frames = segment_frames(weights.columns)
    classes, dim = weights.classes, weights.dim
    upstream = {key: description.upstream[key] for key in _KEPT_FROM_SOURCE
                if key in description.upstream}  # fmt: skip
    tokens = f"tokens of the transformer block asked for: cls, dist, then patches, {dim} wide each"
    outputs = [
        _output("activations", ["batch", classes], "Sigmoid", "class activations", "predictions"),
        _output("logits", ["batch", classes], "Linear", "class logits", "logits"),
        _output("tokens", ["batch", "tokens", dim], "Transformer block", tokens, "embeddings"),
    ]
    return {
        "name": description.name,
        "type": "auto-tagging",
        "link": "",
        "version": "1",
        "description": description.description,
        "author": "",
        "email": "",
        "release_date": "",
        "framework": "onnx",
        "framework_version": f"opset {OPSET}",
        "classes": list(description.labels),
        **({METADATA_KEY: list(description.families)} if description.families else {}),
        "model_types": ["onnx"],
        "dataset": {"name": "", "citation": "", "size": "", "metrics": {}},
        "schema": {
            "inputs": [
                {
                    "name": "patches",
                    "type": "float",
                    "shape": ["batch", "kept", PATCH_SIZE * PATCH_SIZE],
                    "description": f"16 x 16 patches of {frames} mel frames x {MEL_BANDS} bands",
                }
            ],
            "outputs": outputs,
        },
        "citation": "",
        **upstream,
        "license": description.license,
        "trained": description.trained,
        "inference": {"sample_rate": SAMPLE_RATE, "algorithm": "OnnxPredictMAEST"},
    }


def _output(
    name: str, shape: list[str | int], operator: str, description: str, purpose: str
) -> dict[str, Any]:
    return {
        "name": name,
        "type": "float",
        "shape": shape,
        "op": operator,
        "description": description,
        "output_purpose": purpose,
    }


def model_properties(
    description: ModelDescription,
    weights: ModelWeights,
    precision: Precision,
    essentia_text: str,
    plan: QuantizationPlan | None = None,
) -> dict[str, str]:
    """Give the ``metadata_props`` of a model file.

    Parameters
    ----------
    description : ModelDescription
    weights : ModelWeights
    precision : {"fp32", "int8"}
    essentia_text : str
        The JSON text that is also written beside the model.
    plan : QuantizationPlan, optional
        What of an int8 model was done otherwise.

    Raises
    ------
    ModelError
        If the model does not fit the mel front end.
    """
    if weights.rows != GRID_ROWS:
        bands = segment_frames(weights.rows)
        raise ModelError(
            f"the model has {weights.rows} patch rows ({bands} mel bands or more); wanted "
            f"{GRID_ROWS}, for the {MEL_BANDS} mel bands of MAEST's front end (is it an "
            "initialisation for training, such as PaSST?)"
        )
    frames = segment_frames(weights.columns)
    values: dict[str, str | int | float] = {
        "format_version": FORMAT_VERSION,
        "name": description.name,
        "trained": "true" if description.trained else "false",
        "precision": precision,
        "sample_rate": SAMPLE_RATE,
        "frame_size": FRAME_SIZE,
        "hop_size": HOP_SIZE,
        "mel_bands": MEL_BANDS,
        "compression": COMPRESSION,
        "normalization_mean": float(description.mean),
        "normalization_divisor": 2 * float(description.standard_deviation),
        "segment_frames": frames,
        "segment_hop_frames": segment_hop_frames(frames),
        "patch_size": PATCH_SIZE,
        "patch_stride": PATCH_STRIDE,
        "grid_rows": weights.rows,
        "grid_columns": weights.columns,
        "depth": weights.depth,
        "dim": weights.dim,
        "heads": weights.heads,
        "labels": "\n".join(description.labels),
        "license": description.license,
        "source": description.source,
        "source_sha256": description.source_sha256,
        "essentia_metadata": essentia_text,
        **({} if plan is None else {"quantization": plan.json()}),
    }
    return {
        PREFIX + name: value if isinstance(value, str) else repr(value)
        for name, value in values.items()
    }


def essentia_json(metadata: Mapping[str, Any]) -> str:
    """Give Essentia's metadata as the text that is stored."""
    return json.dumps(metadata, indent=4, ensure_ascii=False) + "\n"
