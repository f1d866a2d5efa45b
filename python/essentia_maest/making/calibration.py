"""What the layers of a model are fed, seen by running it in fp32 over some music.

NumPy computes it, so that every tensor of a block can be looked at; it is the same network as
`essentia_maest.making.graph` makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from essentia_maest.errors import InvalidArgumentError
from essentia_maest.making.metadata import ModelDescription, segment_frames
from essentia_maest.making.quantization_plan import MATRICES
from essentia_maest.making.weights import PATCH_SIZE, PATCH_STRIDE, BlockWeights, ModelWeights
from essentia_maest.spectrogram import mel_spectrogram

FloatArray = npt.NDArray[np.float32]

SEGMENTS = 4
"""The most that are looked at: channels that are large are so in any music."""
_ROWS_KEPT, _EXTREME_ROWS_KEPT = 64, 4
"""Of a segment: spread over it, and those with the largest values: few tokens are dozens of times
larger than the rest, and would be missed."""


@dataclass
class BlockInputs:
    """What was seen at one block; all arrays float32.

    Parameters
    ----------
    qkv, projection, fc1, fc2 : ndarray [rows, inputs]
        Some rows of what each matrix is fed, of every segment; those with the largest values too.
    largest : dict of str to ndarray [inputs]
        For each matrix the largest absolute value of every input, over all rows.
    sums : dict of str to ndarray of float64 [inputs]
        For each matrix the sum of every input over all rows, each row weighed by its length to the
        power of -2: a token that is far larger than the rest would be the mean.
    weights : dict of str to float
        The sum of what rows are weighed by.
    pivots, squares : dict of str to ndarray of float32 [inputs] and [inputs, inputs]
        For each of `MATRICES` a point near the mean, and the products of every two inputs, less
        that point, over all rows, weighed as in `sums`.
    """

    rows: dict[str, list[FloatArray]]
    largest: dict[str, FloatArray]
    sums: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    pivots: dict[str, FloatArray] = field(default_factory=dict)
    squares: dict[str, FloatArray] = field(default_factory=dict)

    def add(self, matrix: str, values: FloatArray) -> None:
        """Look at the rows that enter a matrix."""
        largest = np.abs(values).max(axis=0)
        before = self.largest.get(matrix)
        self.largest[matrix] = largest if before is None else np.maximum(before, largest)
        squares = np.einsum("ri,ri->r", values, values, dtype=np.float64)
        weights = np.reciprocal(squares, where=squares > 0, out=np.zeros_like(squares))
        self.sums[matrix] = self.sums.get(matrix, 0) + weights @ values
        self.weights[matrix] = self.weights.get(matrix, 0.0) + float(weights.sum())
        if matrix in MATRICES:
            # squares of what is far from zero would lose what they differ by
            pivot = self.pivots.setdefault(matrix, self.mean(matrix))
            weighed = (values - pivot) * np.sqrt(weights)[:, np.newaxis].astype(np.float32)
            self.squares[matrix] = self.squares.get(matrix, 0) + weighed.T @ weighed
        step = max(1, len(values) // _ROWS_KEPT)
        extreme = np.argsort(-np.abs(values).max(axis=1), kind="stable")[:_EXTREME_ROWS_KEPT]
        kept = np.union1d(np.arange(0, len(values), step), extreme)
        self.rows.setdefault(matrix, []).append(values[kept])

    def kept(self, matrix: str) -> FloatArray:
        """Give the rows that were kept."""
        return np.concatenate(self.rows[matrix])

    def mean(self, matrix: str) -> FloatArray:
        """Give the mean of every input of a matrix, each row weighed as in `sums`."""
        weight = self.weights[matrix]
        mean: FloatArray = (self.sums[matrix] / (weight if weight > 0 else 1)).astype(np.float32)
        return mean

    def covariance(self, matrix: str) -> FloatArray:
        """Give the covariance of the inputs of a matrix, each row weighed as in `sums`."""
        weight = self.weights[matrix]
        away = self.mean(matrix) - self.pivots[matrix]
        squares = self.squares[matrix] / np.float32(weight if weight > 0 else 1)
        covariance: FloatArray = squares - np.multiply.outer(away, away)
        return covariance


def watch(
    weights: ModelWeights, description: ModelDescription, signals: Iterable[FloatArray]
) -> Iterator[BlockInputs]:
    """Run a model over music, and keep what its matrices are fed, block by block.

    Parameters
    ----------
    weights : ModelWeights
    description : ModelDescription
        For the normalisation of its input.
    signals : iterable of ndarray of float32 [samples]
        16 kHz mono; `SEGMENTS` segments spread over them are looked at.

    Yields
    ------
    BlockInputs
        Of each block in turn: a wide model's covariances take a gigabyte together.

    Raises
    ------
    InvalidArgumentError
        If there is no music, or what the model computes of it is not finite.
    """
    segments = _segments(weights, description, list(signals))
    if not segments:
        raise InvalidArgumentError("no music to look at the model's activations with")
    chosen = np.unique(np.linspace(0, len(segments) - 1, SEGMENTS).round().astype(int))
    tokens = [_first_tokens(segments[place], weights) for place in chosen]
    for number, block in enumerate(weights.blocks, 1):
        inputs = BlockInputs({}, {})
        with np.errstate(over="ignore", invalid="ignore"):
            tokens = [_run_block(one, block, weights, inputs) for one in tokens]
        if not all(np.isfinite(one).all() for one in tokens):
            raise InvalidArgumentError(
                f"block {number} of the model computes values that are not finite of the "
                "sample audio; int8 cannot be made of it"
            )
        yield inputs


def _first_tokens(mel: FloatArray, weights: ModelWeights) -> FloatArray:
    patches = _patches(mel, weights) @ weights.patch_weight
    return np.concatenate([weights.class_tokens, patches + weights.positions])


def _segments(
    weights: ModelWeights, description: ModelDescription, signals: list[FloatArray]
) -> list[FloatArray]:
    """Cut music into segments of mel frames [frames, bands]; short music is repeated."""
    frames = segment_frames(weights.columns)
    found: list[FloatArray] = []
    for signal in signals:
        mel = mel_spectrogram(signal)
        mel = (mel - description.mean) / (2 * description.standard_deviation)
        if not len(mel):
            continue
        whole = np.resize(mel, (max(frames, len(mel)), mel.shape[1])).astype(np.float32)
        found += [
            whole[start : start + frames] for start in range(0, len(whole) - frames + 1, frames)
        ]
    return found


def _patches(mel: FloatArray, weights: ModelWeights) -> FloatArray:
    windows = np.lib.stride_tricks.sliding_window_view(mel, (PATCH_SIZE, PATCH_SIZE))
    grid = windows[::PATCH_STRIDE, ::PATCH_STRIDE][: weights.columns, : weights.rows]
    return grid.swapaxes(0, 1).reshape(weights.rows * weights.columns, -1).astype(np.float32)


def _run_block(
    tokens: FloatArray, block: BlockWeights, weights: ModelWeights, inputs: BlockInputs
) -> FloatArray:
    epsilon = weights.norm_epsilon
    normed = _norm(tokens, block.norm1_scale, block.norm1_bias, epsilon)
    inputs.add("qkv", normed)
    query, key, value = np.split(normed @ block.qkv_weight + block.qkv_bias, 3, axis=1)
    inputs.add("query", query)
    inputs.add("key", key)
    inputs.add("value", value)
    mixed: FloatArray = np.concatenate(list(_attend(query, key, value, weights.heads)), axis=1)
    inputs.add("projection", mixed)
    attended: FloatArray = tokens + mixed @ block.projection_weight + block.projection_bias
    normed = _norm(attended, block.norm2_scale, block.norm2_bias, epsilon)
    inputs.add("fc1", normed)
    hidden = gelu(normed @ block.fc1_weight + block.fc1_bias)
    inputs.add("fc2", hidden)
    result: FloatArray = attended + hidden @ block.fc2_weight + block.fc2_bias
    return result


def _norm(tokens: FloatArray, scale: FloatArray, bias: FloatArray, epsilon: float) -> FloatArray:
    centred = tokens - tokens.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    result: FloatArray = centred / np.sqrt(variance + np.float32(epsilon)) * scale + bias
    return result


def _attend(
    query: FloatArray, key: FloatArray, value: FloatArray, heads: int
) -> Iterator[FloatArray]:
    parts = (np.split(tensor, heads, axis=1) for tensor in (query, key, value))
    for asking, asked, said in zip(*parts, strict=True):
        scores = asking @ asked.T / np.float32(np.sqrt(asking.shape[1]))
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        yield weights @ said / weights.sum(axis=1, keepdims=True)


def gelu(values: FloatArray) -> FloatArray:
    """Compute GELU; erf within 2e-7 (Abramowitz and Stegun, 7.1.26)."""
    scaled = np.abs(values) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    coefficients = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    total: FloatArray = np.zeros_like(values)
    for coefficient in coefficients:
        total = np.multiply(total + np.float32(coefficient), t, dtype=np.float32)
    erf = np.copysign(1 - total * np.exp(-np.square(scaled)), values)
    result: FloatArray = values * (1 + erf) / 2
    return result
