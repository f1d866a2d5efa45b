"""What int8 changes: a model in both precisions, over the same music."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import InvalidArgumentError, UntrainedModelWarning
from ..model import Model
from .graph import Precision
from .metadata import ModelDescription
from .model_writing import write_model
from .quantization_plan import QuantizationPlan
from .weights import ModelWeights

LOWEST_COSINE = 0.99
"""Mean cosine of embeddings below which an int8 model is refused."""
HOLDING_COSINE, HOLDING_ACTIVATIONS = 0.999, 0.02
"""What an int8 model that holds has of every block and segment, and how near activations are."""

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
        Of every block, in order.
    activations : float
        The largest difference of an activation.
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
    activations: float
    same_top: float
    shared: float
    plan: QuantizationPlan | None = None

    def __str__(self) -> str:
        """Tell it in one line."""
        told = sorted({min(_MIDDLE_BLOCK, len(self.blocks)), len(self.blocks)})
        cosines = ", ".join(
            f"{self.blocks[number - 1].mean:.4f} (lowest {self.blocks[number - 1].lowest:.4f}) "
            f"at block {number}"
            for number in told
        )
        worst = min(self.blocks, key=lambda one: one.lowest)
        return (
            f"int8 against fp32 on {self.segments} segments of {self.files} audio file(s): "
            f"cosine of embeddings {cosines}, lowest of all {worst.lowest:.4f} at block "
            f"{worst.block}; activations within {self.activations:.3f}; "
            f"same strongest label in {self.same_top:.0%}, "
            f"{self.shared:.0%} of the {_STRONGEST} strongest shared"
            + ("" if self.plan is None else f"; {self.plan}")
        )

    @property
    def holds(self) -> bool:
        """Whether every block of every segment, and every activation, is near that of fp32."""
        near = all(one.lowest >= HOLDING_COSINE for one in self.blocks)
        return near and self.activations <= HOLDING_ACTIVATIONS

    @property
    def lowest(self) -> float:
        """The lowest cosine of all blocks and segments; -1 for none."""
        return min(-1.0 if np.isnan(one.lowest) else one.lowest for one in self.blocks)

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


@dataclass(frozen=True)
class Results:
    """What a model gives for a piece of music.

    Parameters
    ----------
    activations : ndarray of float32 [segments, classes]
    embeddings : ndarray of float32 [segments, blocks, values]
    """

    activations: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]


def results_of(
    weights: ModelWeights,
    description: ModelDescription,
    precision: Precision,
    signals: Sequence[npt.NDArray[np.float32]],
    plan: QuantizationPlan | None = None,
) -> list[Results]:
    """Run a model over music, all blocks in one pass.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
    precision : {"fp32", "int8"}
    signals : sequence of ndarray of float32 [samples]
        16 kHz mono, at least one; what is shorter than a segment is repeated.
    plan : QuantizationPlan, optional
        Of an int8 model.

    Returns
    -------
    list of Results
        For each signal.

    Raises
    ------
    InvalidArgumentError
        If a sample is not finite, or the system's temporary folder has no room for the model.
    ModelError
        If the weights do not fit the mel front end, or are not finite.
    ImportError
        If ``essentia-maest[convert]`` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="maest-") as folder:
        path = Path(folder) / "model.onnx"
        write_model(weights, description, precision, path, plan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrainedModelWarning)
            model = Model(path)
        return [run_model(model, signal) for signal in signals]


def run_model(model: Model, signal: npt.NDArray[np.float32], patchout: str = "F0T0") -> Results:
    """Give what a model that is open makes of a signal, all blocks in one pass."""
    blocks = range(1, model.depth + 1)
    tags, embeddings = model.analyze(signal, block=blocks, patchout=patchout, tail="repeat")
    return Results(tags, embeddings.reshape(len(tags), model.depth, -1))


def compare(exact: Sequence[Results], rounded: Sequence[Results]) -> PrecisionReport:
    """Compare what two models of the same network give.

    Parameters
    ----------
    exact, rounded : sequence of Results
        In fp32 and in int8, for the same music.

    Returns
    -------
    PrecisionReport

    Raises
    ------
    InvalidArgumentError
        If there is no music.
    """
    if not exact:
        raise InvalidArgumentError("no music to compare int8 with fp32 on")
    pairs = list(zip(exact, rounded, strict=True))
    cosines = np.concatenate([_cosines(one.embeddings, other.embeddings) for one, other in pairs])
    tags, others = (
        np.concatenate([one.activations for one in results]) for results in (exact, rounded)
    )
    return PrecisionReport(
        files=len(pairs),
        segments=len(tags),
        blocks=tuple(
            BlockCosine(number, float(found.mean()), float(found.min()))
            for number, found in enumerate(cosines.T, 1)
        ),
        activations=float(np.abs(tags - others).max()),
        same_top=float(np.mean(tags.argmax(1) == others.argmax(1))),
        shared=float(np.mean(_shared(tags, others))),
    )


def _cosines(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    a, b = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines: npt.NDArray[np.float64] = (a * b).sum(axis=-1) / lengths
    return cosines


def _shared(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> list[float]:
    count = min(_STRONGEST, one.shape[1])
    strongest = (np.argsort(-tags, axis=1, kind="stable")[:, :count] for tags in (one, other))
    return [len({*a} & {*b}) / count for a, b in zip(*strongest, strict=True)]
