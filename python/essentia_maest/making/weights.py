"""The weights of one MAEST model as numpy arrays, in one naming, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from essentia_maest import _core
from essentia_maest.errors import ModelError

PATCH_SIZE = _core.patches.size
PATCH_STRIDE = _core.patches.stride
PATCH_VALUES = PATCH_SIZE * PATCH_SIZE
GRID_ROWS = _core.patches.rows
"""Patch rows of the 96 mel bands that every public model was trained on."""
HEAD_DIM = 64
"""Width of one attention head in every public model."""

EMBEDDING_PARTS = 3
"""Of an embedding: the cls token, the dist token, and the mean of the patches' tokens."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class BlockWeights:
    """One transformer block; matrices are stored [inputs, outputs], as `x @ weight` wants them."""

    norm1_scale: FloatArray
    norm1_bias: FloatArray
    qkv_weight: FloatArray
    qkv_bias: FloatArray
    projection_weight: FloatArray
    projection_bias: FloatArray
    norm2_scale: FloatArray
    norm2_bias: FloatArray
    fc1_weight: FloatArray
    fc1_bias: FloatArray
    fc2_weight: FloatArray
    fc2_bias: FloatArray


@dataclass(frozen=True)
class ModelWeights:
    """A whole model.

    Parameters
    ----------
    patch_weight : ndarray of float32 [256, dim]
        Patch embedding; row ``t * 16 + f`` is frame ``t`` and mel band ``f`` of the patch.
    class_tokens : ndarray of float32 [2, dim]
        The cls and dist tokens, their position encodings included.
    positions : ndarray of float32 [rows * columns, dim]
        Position encodings of the patches, row by row (frequency outer, time inner), the bias of
        the patch embedding included.
    blocks : tuple of BlockWeights
    norm_scale, norm_bias : ndarray of float32 [dim], or None
        The LayerNorm after the last block; None of a head on the embedding, which takes tokens as
        the block gives them.
    head_norm_scale, head_norm_bias : ndarray of float32 [dim] or [3 * dim]
        The LayerNorm that opens the classification head; of a head on the embedding, what its
        values are multiplied with, and what is added then.
    head_weight : ndarray of float32 [dim, classes] or [3 * dim, classes]
        On the embedding: the cls token, the dist token and the mean of the patches' tokens of the
        last block, stacked.
    head_bias : ndarray of float32 [classes]
    heads : int
        Attention heads.
    rows, columns : int
        The patch grid.
    second_head_weight : ndarray of float32 [dim, classes], optional
    second_head_bias : ndarray of float32 [classes], optional
        The head of the dist token in a model with separated heads; then the other head, with its
        LayerNorm, takes the cls token alone, and logits are the mean of both. Without it the one
        head takes the mean of the two tokens.
    norm_epsilon, head_norm_epsilon : float
        Epsilon of the LayerNorms in the blocks and after them, and of the one in the head.

    Raises
    ------
    ModelError
        If a shape does not fit the others, or a value is not finite.
    """

    patch_weight: FloatArray
    class_tokens: FloatArray
    positions: FloatArray
    blocks: tuple[BlockWeights, ...]
    norm_scale: FloatArray | None
    norm_bias: FloatArray | None
    head_norm_scale: FloatArray
    head_norm_bias: FloatArray
    head_weight: FloatArray
    head_bias: FloatArray
    heads: int
    rows: int
    columns: int
    second_head_weight: FloatArray | None = None
    second_head_bias: FloatArray | None = None
    norm_epsilon: float = 1e-6
    head_norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        """Check every shape and value."""
        if not self.blocks:
            raise ModelError("the model has no transformer blocks; at least one is wanted")
        if self.patch_weight.ndim != 2 or self.head_weight.ndim != 2:
            raise ModelError(
                f"patch_weight {list(self.patch_weight.shape)} and head_weight "
                f"{list(self.head_weight.shape)}: both must be matrices"
            )
        dim = self.dim
        if self.heads < 1 or dim % self.heads:
            raise ModelError(f"{self.heads} attention heads do not divide a width of {dim}")
        inputs = EMBEDDING_PARTS * dim if self.reads_embedding else dim
        wanted: dict[str, tuple[int, ...]] = {
            "patch_weight": (PATCH_VALUES, dim),
            "class_tokens": (2, dim),
            "positions": (self.rows * self.columns, dim),
            "head_norm_scale": (inputs,),
            "head_norm_bias": (inputs,),
            "head_weight": (inputs, self.classes),
            "head_bias": (self.classes,),
        }
        if not self.reads_embedding:
            wanted |= {"norm_scale": (dim,), "norm_bias": (dim,)}
        elif self.second_head_weight is not None or self.norm_bias is not None:
            raise ModelError("a head on the embedding: wanted no second head and no norm before it")
        if (self.second_head_weight is None) != (self.second_head_bias is None):
            raise ModelError("second_head_weight and second_head_bias: wanted both, or neither")
        if self.second_head_weight is not None:
            wanted["second_head_weight"] = (dim, self.classes)
            wanted["second_head_bias"] = (self.classes,)
        for name, shape in wanted.items():
            _check_array(name, getattr(self, name), shape)
        for number, block in enumerate(self.blocks, start=1):
            for name, shape in _block_shapes(dim, block.fc1_bias.size).items():
                _check_array(f"block {number}: {name}", getattr(block, name), shape)

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self.patch_weight.shape[1])

    @property
    def depth(self) -> int:
        """Number of transformer blocks."""
        return len(self.blocks)

    @property
    def reads_embedding(self) -> bool:
        """Whether the head is one on the last block's embedding."""
        return self.norm_scale is None

    @property
    def classes(self) -> int:
        """Number of classes of the head."""
        return int(self.head_weight.shape[1])


def _block_shapes(dim: int, hidden: int) -> dict[str, tuple[int, ...]]:
    return {
        "norm1_scale": (dim,),
        "norm1_bias": (dim,),
        "qkv_weight": (dim, 3 * dim),
        "qkv_bias": (3 * dim,),
        "projection_weight": (dim, dim),
        "projection_bias": (dim,),
        "norm2_scale": (dim,),
        "norm2_bias": (dim,),
        "fc1_weight": (dim, hidden),
        "fc1_bias": (hidden,),
        "fc2_weight": (hidden, dim),
        "fc2_bias": (dim,),
    }


def _check_array(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    if array.dtype != np.float32 or array.shape != shape:
        raise ModelError(
            f"{name}: found {array.dtype} {list(array.shape)}, wanted float32 {list(shape)}"
        )
    if not array.size:
        raise ModelError(f"{name}: found an empty array, shape {list(array.shape)}")
    finite = np.isfinite(array)
    if not finite.all():
        bad = int(array.size - np.count_nonzero(finite))
        raise ModelError(f"{name}: {bad} of {array.size} values are NaN or infinite")


def random_weights(
    *,
    dim: int,
    depth: int = 12,
    heads: int | None = None,
    hidden: int | None = None,
    classes: int = 400,
    columns: int,
    rows: int = GRID_ROWS,
    seed: int = 0,
) -> ModelWeights:
    """Make the weights of an untrained model, the same ones for the same arguments.

    Matrices are drawn with a variance that keeps the scale of the tokens through the blocks;
    biases and LayerNorm parameters are drawn too, so that no term of the model is trivially zero.

    Parameters
    ----------
    dim : int
        Width of a token.
    depth : int
        Number of transformer blocks.
    heads : int, optional
        Attention heads; by default as many as give a head width of 64, at least one.
    hidden : int, optional
        Width of the hidden layer of a block's MLP; by default 4 * dim.
    classes : int
        Number of classes.
    columns, rows : int
        The patch grid (time, frequency).
    seed : int
        Seed of the generator.

    Returns
    -------
    ModelWeights
    """
    generator = np.random.default_rng(seed)

    def normal(*shape: int, std: float = 0.1, mean: float = 0.0) -> FloatArray:
        return (mean + std * generator.standard_normal(shape)).astype(np.float32)

    def draw(name: str, shape: tuple[int, ...]) -> FloatArray:
        if name.endswith("_weight"):
            return normal(*shape, std=shape[0] ** -0.5)
        return normal(*shape, mean=1.0 if name.endswith("_scale") else 0.0)

    shapes = _block_shapes(dim, hidden if hidden is not None else 4 * dim)
    blocks = tuple(
        BlockWeights(**{name: draw(name, shape) for name, shape in shapes.items()})
        for _ in range(depth)
    )
    return ModelWeights(
        patch_weight=normal(PATCH_VALUES, dim, std=PATCH_VALUES**-0.5),
        class_tokens=normal(2, dim, std=0.5),
        positions=normal(rows * columns, dim, std=0.5),
        blocks=blocks,
        norm_scale=normal(dim, mean=1.0),
        norm_bias=normal(dim),
        head_norm_scale=normal(dim, mean=1.0),
        head_norm_bias=normal(dim),
        head_weight=normal(dim, classes, std=dim**-0.5),
        head_bias=normal(classes),
        heads=heads if heads is not None else max(1, dim // HEAD_DIM),
        rows=rows,
        columns=columns,
    )
