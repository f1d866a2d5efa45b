"""Arrays named as in transformers' Audio Spectrogram Transformer (AST), to weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.checkpoint import Tensors, attention_heads
from essentia_maest.making.checkpoints.maest_naming import count_blocks, patch_matrix, patch_shape
from essentia_maest.making.weights import GRID_ROWS, BlockWeights, FloatArray, ModelWeights

ANCHOR = "embeddings.position_embeddings"
ENCODER = "audio_spectrogram_transformer."
EPSILON = 1e-6
"""Of every LayerNorm, the head's too, in the folders that are published."""

# transformers renamed its modules in version 5, but still writes files with the older names.
_RENAMED = (
    (r"\.encoder\.layer\.(\d+)\.", r".layers.\1."),
    (r"\.attention\.attention\.query\.", r".attention.q_proj."),
    (r"\.attention\.attention\.key\.", r".attention.k_proj."),
    (r"\.attention\.attention\.value\.", r".attention.v_proj."),
    (r"\.attention\.output\.dense\.", r".attention.o_proj."),
    (r"\.intermediate\.dense\.", r".mlp.fc1."),
    (r"(\.layers\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
)


@dataclass(frozen=True)
class AstSettings:
    """What the arrays alone do not tell; None where it is to be deduced.

    Parameters
    ----------
    heads : int, optional
        Attention heads; by default one per 64 of width.
    columns : int, optional
        Columns of the patch grid; by default the positions over 9 rows.
    norm_epsilon, head_norm_epsilon : float
        Epsilon of the encoder's LayerNorms and of the head's.
    """

    heads: int | None = None
    columns: int | None = None
    norm_epsilon: float = EPSILON
    head_norm_epsilon: float = EPSILON


def current_name(name: str) -> str:
    """Give the name that an array has in transformers 5."""
    for old, new in _RENAMED:
        name = re.sub(old, new, name)
    return name


def weights_from_ast(
    arrays: Mapping[str, NDArray[Any]], origin: str, settings: AstSettings
) -> ModelWeights:
    """Give the weights of a model in this naming, either version of it.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    origin : str
        The file, for messages.
    settings : AstSettings

    Returns
    -------
    ModelWeights

    Raises
    ------
    ModelError
        If an array is missing, unknown or of another shape.
    """
    tensors = Tensors({current_name(name): array for name, array in arrays.items()}, origin)

    def vector(name: str, length: int) -> FloatArray:
        return tensors.take(name, (length,))

    dim = tensors.take(f"{ENCODER}embeddings.cls_token", (1, 1, None)).shape[2]
    embeddings = f"{ENCODER}embeddings."
    joint = tensors.take(f"{embeddings}position_embeddings", (1, None, dim))[0]
    rows, columns = _grid(len(joint) - 2, settings.columns, origin)
    pair = [tensors.take(embeddings + name, (1, 1, dim))[0, 0]
            for name in ("cls_token", "distillation_token")]  # fmt: skip
    projection = f"{embeddings}patch_embeddings.projection."
    kernel = tensors.take(f"{projection}weight", patch_shape(dim))
    depth = count_blocks(tensors, re.escape(ENCODER) + r"layers\.(\d+)\.", origin)
    head_weight = tensors.take("classifier.dense.weight", (None, dim))
    weights = ModelWeights(
        patch_weight=patch_matrix(kernel),
        class_tokens=np.stack(pair) + joint[:2],
        positions=joint[2:] + vector(f"{projection}bias", dim),
        blocks=tuple(_block(tensors, f"{ENCODER}layers.{n}.", dim) for n in range(depth)),
        norm_scale=vector(f"{ENCODER}layernorm.weight", dim),
        norm_bias=vector(f"{ENCODER}layernorm.bias", dim),
        head_norm_scale=vector("classifier.layernorm.weight", dim),
        head_norm_bias=vector("classifier.layernorm.bias", dim),
        head_weight=np.ascontiguousarray(head_weight.T),
        head_bias=vector("classifier.dense.bias", len(head_weight)),
        heads=attention_heads(dim, settings.heads, origin),
        rows=rows,
        columns=columns,
        norm_epsilon=settings.norm_epsilon,
        head_norm_epsilon=settings.head_norm_epsilon,
    )
    tensors.finish("transformers' AST")
    return weights


def _grid(patches: int, columns: int | None, origin: str) -> tuple[int, int]:
    if columns is None:
        columns = patches // GRID_ROWS
    if patches < 1 or patches != GRID_ROWS * columns:
        raise ModelError(
            f"{origin}: found position encodings of {patches} patches, wanted {GRID_ROWS} rows "
            f"of {columns or 'some'}"
        )
    return GRID_ROWS, columns


def _block(tensors: Tensors, prefix: str, dim: int) -> BlockWeights:
    hidden = tensors.take(f"{prefix}mlp.fc1.weight", (None, dim)).shape[0]

    def vector(name: str, length: int = dim) -> FloatArray:
        return tensors.take(prefix + name, (length,))

    def matrix(name: str, outputs: int = dim, inputs: int = dim) -> FloatArray:
        return np.ascontiguousarray(tensors.take(prefix + name, (outputs, inputs)).T)

    parts = [f"attention.{part}_proj" for part in "qkv"]
    return BlockWeights(
        norm1_scale=vector("layernorm_before.weight"),
        norm1_bias=vector("layernorm_before.bias"),
        qkv_weight=np.concatenate([matrix(f"{part}.weight") for part in parts], axis=1),
        qkv_bias=np.concatenate([vector(f"{part}.bias") for part in parts]),
        projection_weight=matrix("attention.o_proj.weight"),
        projection_bias=vector("attention.o_proj.bias"),
        norm2_scale=vector("layernorm_after.weight"),
        norm2_bias=vector("layernorm_after.bias"),
        fc1_weight=matrix("mlp.fc1.weight", hidden),
        fc1_bias=vector("mlp.fc1.bias", hidden),
        fc2_weight=matrix("mlp.fc2.weight", dim, hidden),
        fc2_bias=vector("mlp.fc2.bias"),
    )
