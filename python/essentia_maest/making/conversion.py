"""Public checkpoints, or random weights, to model files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from essentia_maest.decoding.audio import load_audio
from essentia_maest.errors import InvalidArgumentError, ModelError
from essentia_maest.example import example_audio
from essentia_maest.files import sha256_of
from essentia_maest.making.checkpoints import Checkpoint, read_checkpoint
from essentia_maest.making.graph import PRECISIONS, Precision
from essentia_maest.making.holding import quantize_to_hold
from essentia_maest.making.metadata import (
    NORMALIZATION_MEAN,
    NORMALIZATION_STANDARD_DEVIATION,
    ModelDescription,
    check_labels,
    grid_columns,
)
from essentia_maest.making.model_writing import checked_destination, write_model
from essentia_maest.making.precision_check import LOWEST_COSINE, PrecisionReport
from essentia_maest.making.quantization import equalise_model
from essentia_maest.making.weights import random_weights
from essentia_maest.reading.text_files import parse_json, read_text

UNKNOWN_LICENSE = "that of the source"
OWN_LICENSE = "AGPL-3.0-or-later"


@dataclass(frozen=True)
class _RandomSize:
    dim: int
    heads: int
    hidden: int
    seconds: float


_RANDOM_SIZES = {
    "tiny": _RandomSize(dim=64, heads=2, hidden=128, seconds=10),
    "base": _RandomSize(dim=768, heads=12, hidden=3072, seconds=30),
}
RANDOM_SIZES = tuple(_RANDOM_SIZES)
_RANDOM_CLASSES = 400


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    precision: Precision = "fp32",
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    heads: int | None = None,
    samples: Sequence[str | os.PathLike[str]] = (),
    lowest_cosine: float = LOWEST_COSINE,
    license: str | None = None,
    report: Callable[[PrecisionReport], object] | None = None,
) -> Path:
    """Convert a public MAEST checkpoint, or a model file in fp32, into a model file.

    Parameters
    ----------
    source : path
        A MAEST checkpoint (Lightning ``.ckpt``, or a state dict as ``.pt``, ``.pth``, ``.bin`` or
        ``.safetensors``), a Hugging Face folder, one of Essentia's official ``.onnx`` files, a
        model file of ours in fp32, or a checkpoint of a training run of this project. Where a file
        has averaged weights (``net_swa.``) beside others, those are taken, and a warning is logged.
    destination : path
        The ``.onnx`` file to write; Essentia's metadata goes beside it as ``.json``.
    precision : {"fp32", "int8"}
        int8 is faster and a quarter of the size; results differ slightly. Channels that are much
        larger than others, in `samples`, are scaled into the weights, and matrices that lose too
        much stay in fp32. What is left of the difference is measured before the file is written.
    labels : path or sequence of str, optional
        Names of the classes, in order: a list, a text file with one per line, or a JSON file (a
        list, or Essentia's metadata). By default those of the source; where it has none, the
        placeholders ``class-000`` ... with a warning.
    heads : int, optional
        Attention heads, where the source does not say and the width is not a multiple of 64.
    samples : sequence of path, optional
        Music that an int8 model is made with, and measured on against fp32; by default the
        package's example.
    lowest_cosine : float
        An int8 model is refused if the mean cosine of its embeddings to those of fp32 is lower;
        -1 allows any.
    license : str, optional
        Licence of the weights; by default what the source names.
    report : callable, optional
        Called with what was done and measured for int8, a `PrecisionReport`, before it is judged.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    ModelError
        If the source is damaged, foreign or not a MAEST model, or the labels do not fit.
    InvalidArgumentError
        If the destination cannot be written, the precision is unknown, or int8 changes too much.
    AudioFileError
        If one of `samples` cannot be decoded.
    ImportError
        If ``essentia-maest[convert]`` is not installed, or, for a PyTorch file,
        ``essentia-maest[torch]``.
    """
    source_path, target = Path(source), checked_destination(destination)
    _check_precision(precision)
    if source_path.is_file() and target.exists() and source_path.samefile(target):
        raise InvalidArgumentError(f"{target}: the destination is the source; wanted another file")
    checkpoint = read_checkpoint(source_path, heads)
    weights = checkpoint.weights
    names = _labels(labels, checkpoint)
    families = checkpoint.families if names == checkpoint.labels else ()
    mean, standard_deviation = checkpoint.normalisation or (
        NORMALIZATION_MEAN,
        NORMALIZATION_STANDARD_DEVIATION,
    )
    description = ModelDescription(
        name=checkpoint.name,
        description=checkpoint.description or f"MAEST converted from {checkpoint.source}",
        labels=names,
        trained=checkpoint.trained,
        license=license or checkpoint.license or UNKNOWN_LICENSE,
        source=checkpoint.source,
        source_sha256=(
            sha256_of(checkpoint.path)
            if checkpoint.source_sha256 is None
            else checkpoint.source_sha256
        ),
        upstream=checkpoint.upstream,
        mean=mean,
        standard_deviation=standard_deviation,
        families=families,
    )
    if precision == "int8":
        music = [Path(path) for path in samples] or [example_audio()]
        signals = [load_audio(path) for path in music]
        quantized, measured = quantize_to_hold(weights, description, signals)
        if report is not None:
            report(measured)
        measured.check(lowest_cosine)
        write_model(quantized.weights, description, precision, target, quantized.plan)
    else:
        write_model(weights, description, precision, target)
    return target


def convert_random(
    size: str,
    destination: str | os.PathLike[str],
    *,
    precision: Precision = "fp32",
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    seconds: float | None = None,
    classes: int | None = None,
    seed: int = 0,
) -> Path:
    """Write an untrained model: a valid file whose outputs mean nothing.

    Parameters
    ----------
    size : {"tiny", "base"}
        tiny is 64 wide and takes 10 s segments, base is 768 wide, as the public models, and takes
        30 s ones. Both have 12 blocks.
    destination : path
        The ``.onnx`` file to write; Essentia's metadata goes beside it as ``.json``.
    precision : {"fp32", "int8"}
    labels : path or sequence of str, optional
        Names of the classes, as for `convert`; by default ``untrained-class-000`` ...
    seconds : float, optional
        Length of a segment.
    classes : int, optional
        Number of classes; by default that of the labels, or 400.
    seed : int
        The same seed gives the same file.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    InvalidArgumentError
        If an argument is not usable or the destination cannot be written.
    ModelError
        If the labels cannot be read or do not fit the classes.
    ImportError
        If ``essentia-maest[convert]`` is not installed.
    """
    target = checked_destination(destination)
    _check_precision(precision)
    if size not in _RANDOM_SIZES:
        raise InvalidArgumentError(f"size {size!r}: wanted one of {', '.join(RANDOM_SIZES)}")
    given, origin = _given_labels(labels)
    if classes is None:
        classes = _RANDOM_CLASSES if given is None else len(given)
    if classes < 1:
        raise InvalidArgumentError(f"{classes} classes: wanted at least 1")
    names = _numbered("untrained-class", classes) if given is None else given
    chosen = _RANDOM_SIZES[size]
    seconds = chosen.seconds if seconds is None else seconds
    weights = random_weights(
        dim=chosen.dim,
        heads=chosen.heads,
        hidden=chosen.hidden,
        classes=classes,
        columns=grid_columns(seconds),
        seed=seed,
    )
    description = ModelDescription(
        name=f"untrained-{size}-{seconds:g}s",
        description="Random weights, for trying the software out: the outputs mean nothing.",
        labels=check_labels(names, classes, origin),
        trained=False,
        license=OWN_LICENSE,
        source=f"random weights, size {size}, seed {seed}",
        source_sha256="",
    )
    if precision == "int8":
        quantized = equalise_model(weights, description, [load_audio(example_audio())]).quantized()
        write_model(quantized.weights, description, precision, target, quantized.plan)
    else:
        write_model(weights, description, precision, target)
    return target


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise InvalidArgumentError(
            f"precision {precision!r}: wanted one of {', '.join(PRECISIONS)}"
        )


def _numbered(stem: str, classes: int) -> tuple[str, ...]:
    return tuple(f"{stem}-{number:03d}" for number in range(classes))


def _labels(
    given: str | os.PathLike[str] | Sequence[str] | None, checkpoint: Checkpoint
) -> tuple[str, ...]:
    classes = checkpoint.weights.classes
    found, origin = _given_labels(given)
    if found is not None:
        return check_labels(found, classes, origin)
    if checkpoint.labels is not None:
        return check_labels(checkpoint.labels, classes, f"the labels of {checkpoint.source}")
    warnings.warn(
        f"{checkpoint.source} has no class names; naming its {classes} classes class-000 ... "
        "(give the names with the argument labels)",
        stacklevel=3,
    )
    return _numbered("class", classes)


def _given_labels(
    labels: str | os.PathLike[str] | Sequence[str] | None,
) -> tuple[Sequence[str] | None, str]:
    """Give the labels of an argument, if any, and where they come from."""
    if isinstance(labels, (str, os.PathLike)):
        return _read_labels(Path(labels)), str(labels)
    return labels, "the argument labels"


def _read_labels(path: Path) -> list[str]:
    if not path.is_file():
        raise ModelError(f"{path}: wanted class names, a text or JSON file; found no such file")
    text = read_text(path)
    if path.suffix.lower() != ".json":
        return [line.strip() for line in text.splitlines() if line.strip()]
    content = parse_json(text, str(path))
    if isinstance(content, dict):
        content = content.get("classes")
    if not isinstance(content, list):
        raise ModelError(f"{path}: wanted a JSON list of names, or an object with 'classes'")
    return content
