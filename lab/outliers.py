"""Int8 where some channels or tokens are far larger than the rest, as in trained transformers.

`python -m lab.outliers`: random weights whose function in fp32 is left as it is, or that are made
so that some activations are large; fp32 beside int8 as `maest convert` makes it, and beside int8
with one range a tensor, as it was made until version 0.2.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import essentia_maest as maest
from essentia_maest.example import example_audio
from essentia_maest.machine import machine, versions
from essentia_maest.making.conversion import convert
from essentia_maest.making.metadata import (
    NORMALIZATION_MEAN,
    NORMALIZATION_STANDARD_DEVIATION,
    ModelDescription,
    grid_columns,
)
from essentia_maest.making.model_writing import write_model
from essentia_maest.making.precision_check import PrecisionReport, compare, run_model
from essentia_maest.making.weights import BlockWeights, ModelWeights, random_weights

FloatArray = NDArray[np.float32]
SCALES = (1.0, 10.0, 50.0, 200.0)
SIZES = {"tiny": (64, 128, 10.0), "small": (192, 768, 10.0), "base": (768, 3072, 30.0)}
"""Width, hidden width and seconds of a segment."""
_CHANNELS = 6
_CLASSES = 400


def _chosen(size: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).choice(size, _CHANNELS, replace=False)


def _factors(size: int, seed: int, scale: float) -> FloatArray:
    factors = np.ones(size, np.float32)
    factors[_chosen(size, seed)] = scale
    return factors


def large_channels(weights: ModelWeights, scale: float) -> ModelWeights:
    """Make six channels of each norm larger, and what reads them smaller: the same function."""

    def changed(block: BlockWeights, number: int) -> BlockWeights:
        first = _factors(weights.dim, 2 * number, scale)
        second = _factors(weights.dim, 2 * number + 1, scale)
        return replace(
            block,
            norm1_scale=block.norm1_scale * first,
            norm1_bias=block.norm1_bias * first,
            qkv_weight=block.qkv_weight / first[:, np.newaxis],
            norm2_scale=block.norm2_scale * second,
            norm2_bias=block.norm2_bias * second,
            fc1_weight=block.fc1_weight / second[:, np.newaxis],
        )

    return _each_block(weights, changed)


def large_values(weights: ModelWeights, scale: float) -> ModelWeights:
    """Make six channels of the values larger, and what reads them smaller: the same function."""

    def changed(block: BlockWeights, number: int) -> BlockWeights:
        factors = _factors(weights.dim, number, scale)
        columns = np.concatenate([np.ones(2 * weights.dim, np.float32), factors])
        return replace(
            block,
            qkv_weight=block.qkv_weight * columns,
            qkv_bias=block.qkv_bias * columns,
            projection_weight=block.projection_weight / factors[:, np.newaxis],
        )

    return _each_block(weights, changed)


def large_hidden(weights: ModelWeights, scale: float) -> ModelWeights:
    """Make six inputs of each fc2 larger, and what reads them smaller: nearly the same function.

    GELU is not linear, so it is the same where these channels are far from zero.
    """

    def changed(block: BlockWeights, number: int) -> BlockWeights:
        factors = _factors(block.fc1_bias.size, number, scale)
        return replace(
            block,
            fc1_weight=block.fc1_weight * factors,
            fc1_bias=block.fc1_bias * factors,
            fc2_weight=block.fc2_weight / factors[:, np.newaxis],
        )

    return _each_block(weights, changed)


def large_tokens(weights: ModelWeights, scale: float) -> ModelWeights:
    """Make one patch and the distillation token larger, in all of their channels, and one patch in
    one channel.
    """  # noqa: D205
    positions, class_tokens = weights.positions.copy(), weights.class_tokens.copy()
    positions[len(positions) // 3] *= scale
    positions[len(positions) // 2, _chosen(weights.dim, 0)[0]] += 4 * (scale - 1)
    class_tokens[1] *= scale
    return replace(weights, positions=positions, class_tokens=class_tokens)


def large_hidden_token(weights: ModelWeights, scale: float) -> ModelWeights:
    """Make all inputs of fc2 larger for one patch: a channel that only it has drives fc1."""
    positions = weights.positions.copy()
    channel = int(_chosen(weights.dim, 0)[0])
    positions[:, channel] = 0
    positions[len(positions) // 2, channel] = 4 * weights.dim**0.5

    def changed(block: BlockWeights, number: int) -> BlockWeights:
        del number
        weight = block.fc1_weight.copy()
        weight[channel] *= scale
        return replace(block, fc1_weight=weight)

    return _each_block(replace(weights, positions=positions), changed)


KINDS: dict[str, Callable[[ModelWeights, float], ModelWeights]] = {
    "channels of norms": large_channels,
    "values": large_values,
    "inputs of fc2": large_hidden,
    "single tokens": large_tokens,
    "inputs of fc2 of one token": large_hidden_token,
}


def _each_block(
    weights: ModelWeights, changed: Callable[[BlockWeights, int], BlockWeights]
) -> ModelWeights:
    blocks = tuple(changed(block, number) for number, block in enumerate(weights.blocks))
    return replace(weights, blocks=blocks)


def outlier_weights(size: str, kind: str, scale: float, *, seed: int = 0) -> ModelWeights:
    """Make random weights with large activations.

    Parameters
    ----------
    size : str
        One of `SIZES`.
    kind : str
        One of `KINDS`.
    scale : float
        How much larger than the others: 1 for no difference.
    seed : int
    """
    dim, hidden, seconds = SIZES[size]
    weights = random_weights(
        dim=dim, hidden=hidden, classes=_CLASSES, columns=grid_columns(seconds), seed=seed
    )
    return KINDS[kind](weights, scale)


def written(
    weights: ModelWeights, path: Path, normalisation: tuple[float, float] | None = None
) -> Path:
    """Write weights as a model file in fp32.

    Parameters
    ----------
    weights : ModelWeights
    path : Path
    normalisation : tuple of float, optional
        Mean and standard deviation of the model's input, if they are not the public models'.
    """
    mean, deviation = normalisation or (NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION)
    description = ModelDescription(
        name="outliers",
        description="Random weights with large activations.",
        labels=tuple(f"class-{number:03d}" for number in range(weights.classes)),
        trained=False,
        license="AGPL-3.0-or-later",
        source="random weights",
        source_sha256="",
        mean=mean,
        standard_deviation=deviation,
    )
    write_model(weights, description, "fp32", path)
    return path


@dataclass(frozen=True)
class Difference:
    """How two models of the same network differ on some music.

    Parameters
    ----------
    cosines : tuple of float
        Of each block's embeddings the lowest.
    activations : float
        The largest difference of an activation.
    """

    cosines: tuple[float, ...]
    activations: float


def difference(
    one: maest.Model, other: maest.Model, audio: FloatArray, patchout: str = "F0T0"
) -> Difference:
    """Compare two models, segment by segment; all blocks in one pass."""
    exact, rounded = ([run_model(model, audio, patchout)] for model in (one, other))
    report = compare(exact, rounded)
    return Difference(tuple(block.lowest for block in report.blocks), report.activations)


def time_ratio(
    one: maest.Model, other: maest.Model, audio: FloatArray, patchout: str, rounds: int
) -> float:
    """Give the time of `one` as a share of that of `other`: the median of rounds in turn."""
    ratios = []
    for _ in range(rounds):
        spent = []
        for model in (one, other):
            start = time.process_time()
            model.embed(audio, block=7, patchout=patchout, tail="repeat")
            spent.append(time.process_time() - start)
        ratios.append(spent[0] / spent[1])
    return statistics.median(ratios)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns
    -------
    int
        0: measured; 2: bad usage.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.outliers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--size", choices=SIZES, default="base", help="(default: %(default)s)")
    parser.add_argument("--kind", choices=KINDS, action="append", help="(default: all)")
    parser.add_argument("--scale", type=float, action="append", help="(default: 1, 10, 50, 200)")
    parser.add_argument("--rounds", type=int, default=7, help="of timing (default: %(default)s)")
    parser.add_argument("--audio", type=Path, help="music (default: the clip that ships)")
    chosen = parser.parse_args(arguments)
    try:
        audio = maest.load_audio(chosen.audio or example_audio())
    except maest.MaestError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"Machine: {machine()}; {versions()}. Random weights, size {chosen.size}.\n")
    header = ["large", "times", "one range a tensor: cosine, lowest of all blocks", "activations"]
    header += ["a range a row: cosine", "activations", "channels moved", "matrices in fp32"]
    header += ["time, F0T0", "F3T5"]
    print("| " + " | ".join(header) + " |\n" + "|-" * len(header) + "|")
    warnings.simplefilter("ignore", maest.UntrainedModelWarning)
    for kind in chosen.kind or KINDS:
        for scale in chosen.scale or SCALES:
            cells = _measured(outlier_weights(chosen.size, kind, scale), audio, chosen.rounds)
            print("| " + " | ".join([kind, f"{scale:g}", *cells]) + " |", flush=True)
    return 0


def _measured(weights: ModelWeights, audio: FloatArray, rounds: int) -> list[str]:
    import onnx

    from lab.choices.variants import PER_TENSOR
    from lab.choices.variants import quantize as quantize_otherwise

    reports: list[PrecisionReport] = []
    with tempfile.TemporaryDirectory(prefix="maest-") as folder:
        exact_file = written(weights, Path(folder) / "fp32.onnx")
        file = Path(folder) / "int8.onnx"
        convert(exact_file, file, precision="int8", lowest_cosine=-1, report=reports.append)
        before_file = Path(folder) / "before.onnx"
        onnx.save(quantize_otherwise(onnx.load(exact_file), PER_TENSOR), before_file)
        exact, now, before = (
            maest.Model(path, num_threads=1) for path in (exact_file, file, before_file)
        )
        cells = []
        for model in (before, now):
            found = difference(exact, model, audio)
            cells += [f"{min(found.cosines):.5f}", f"{found.activations:.4f}"]
        plan = reports[0].plan
        assert plan is not None
        cells.append(str(sum(len(moved.channels) for moved in plan.moved)))
        cells.append(str(len(plan.exact_matrices)))
        cells += [
            f"{time_ratio(now, before, audio, patchout, rounds):.3f}"
            for patchout in ("F0T0", "F3T5")
        ]
    return cells


if __name__ == "__main__":
    raise SystemExit(main())
