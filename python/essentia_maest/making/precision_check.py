"""What int8 changes: a model in both precisions, over the same music."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError, UntrainedModelWarning
from ..model import Model
from .graph import Precision
from .metadata import ModelDescription
from .model_writing import write_model
from .quantization import QuantizedWeights
from .quantization_plan import QuantizationPlan
from .weights import ModelWeights

LOWEST_COSINE = 0.99
"""Mean cosine of embeddings below which an int8 model is refused."""

_MIDDLE_BLOCK = 7  # the paper's choice for embeddings
_STRONGEST = 5


@dataclass(frozen=True)
class BlockCosine:
    """Cosine between the embeddings of two models, segment by segment.

    Parameters
    ----------
    block : int
    mean, lowest : float
    """

    block: int
    mean: float
    lowest: float


@dataclass(frozen=True)
class PrecisionReport:
    """How an int8 model differs from its fp32 original on some music.

    Parameters
    ----------
    files, segments : int
    blocks : tuple of BlockCosine
        Block 7, or the last of a shallower model, and the last.
    same_top : float
        Share of the segments with the same strongest label.
    shared : float
        Share of the five strongest labels of a segment that both name.
    plan : QuantizationPlan, optional
        Which channels were scaled, and which matrices stay in fp32.
    """

    files: int
    segments: int
    blocks: tuple[BlockCosine, ...]
    same_top: float
    shared: float
    plan: QuantizationPlan | None = None

    def __str__(self) -> str:
        """Tell it in one line."""
        cosines = ", ".join(
            f"{one.mean:.4f} (lowest {one.lowest:.4f}) at block {one.block}" for one in self.blocks
        )
        return (
            f"int8 against fp32 on {self.segments} segments of {self.files} audio file(s): "
            f"cosine of embeddings {cosines}; same strongest label in {self.same_top:.0%}, "
            f"{self.shared:.0%} of the {_STRONGEST} strongest shared"
            + ("" if self.plan is None else f"; {self.plan}")
        )

    def check(self, lowest: float = LOWEST_COSINE) -> None:
        """Refuse a model that rounding has changed too much.

        Parameters
        ----------
        lowest : float
            Mean cosine that every block must reach.

        Raises
        ------
        InvalidArgumentError
            If one does not.
        """
        # not the other way round: NaN is refused
        if not all(one.mean >= lowest for one in self.blocks):
            raise InvalidArgumentError(
                f"{self}; wanted a mean cosine of at least {lowest:g}. Nothing was written: "
                "convert to fp32, or allow it (--lowest-cosine, argument lowest_cosine)"
            )


def measure_precision(
    weights: ModelWeights,
    quantized: QuantizedWeights,
    description: ModelDescription,
    signals: Sequence[npt.NDArray[np.float32]],
) -> PrecisionReport:
    """Run a model in fp32 and in int8 over music, and compare.

    Parameters
    ----------
    weights : ModelWeights
    quantized : QuantizedWeights
        The same, made ready for int8.
    description : ModelDescription
    signals : sequence of ndarray of float32 [samples]
        16 kHz mono, at least one; what is shorter than a segment is repeated.

    Returns
    -------
    PrecisionReport

    Raises
    ------
    InvalidArgumentError
        If a sample is not finite, or the system's temporary folder has no room for both models.
    ModelError
        If the weights do not fit the mel front end, or are not finite.
    ImportError
        If ``essentia-maest[convert]`` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="maest-") as both:
        exact = _open(weights, description, "fp32", Path(both))
        rounded = _open(quantized.weights, description, "int8", Path(both), quantized.plan)
        return replace(compare_models(exact, rounded, signals), plan=quantized.plan)


def compare_models(
    exact: Model, rounded: Model, signals: Iterable[npt.NDArray[np.float32]]
) -> PrecisionReport:
    """Compare two models of the same network over music.

    Parameters
    ----------
    exact, rounded : Model
        In fp32 and in int8.
    signals : iterable of numpy.ndarray, shape [samples], float32
        16 kHz mono.

    Returns
    -------
    PrecisionReport

    Raises
    ------
    InvalidArgumentError
        If there are no signals, or one is empty.
    """
    blocks = sorted({min(_MIDDLE_BLOCK, exact.depth), exact.depth})
    cosines: dict[int, list[float]] = {block: [] for block in blocks}
    same_top: list[bool] = []
    shared: list[float] = []
    files = 0
    for files, signal in enumerate(signals, 1):  # noqa: B007
        for block in blocks:
            (tags, one), (other_tags, other) = (
                model.analyze(signal, block=block, tail="repeat") for model in (exact, rounded)
            )
            cosines[block] += _cosines(one, other).tolist()
        same_top += (tags.argmax(1) == other_tags.argmax(1)).tolist()
        shared += _shared(tags, other_tags)
    if not same_top:
        raise InvalidArgumentError("no music to compare int8 with fp32 on")
    return PrecisionReport(
        files=files,
        segments=len(same_top),
        blocks=tuple(
            BlockCosine(block, float(np.mean(found)), float(np.min(found)))
            for block, found in cosines.items()
        ),
        same_top=float(np.mean(same_top)),
        shared=float(np.mean(shared)),
    )


def _open(
    weights: ModelWeights,
    description: ModelDescription,
    precision: Precision,
    folder: Path,
    plan: QuantizationPlan | None = None,
) -> Model:
    path = folder / f"{precision}.onnx"
    write_model(weights, description, precision, path, plan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrainedModelWarning)
        return Model(path)


def _cosines(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    a, b = one.astype(np.float64), other.astype(np.float64)
    cosines: npt.NDArray[np.float64] = (a * b).sum(1) / (
        np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    )
    return cosines


def _shared(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> list[float]:
    count = min(_STRONGEST, one.shape[1])
    strongest = (np.argsort(-tags, axis=1, kind="stable")[:, :count] for tags in (one, other))
    return [len({*a} & {*b}) / count for a, b in zip(*strongest, strict=True)]
