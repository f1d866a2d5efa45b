"""Checkpoints that training can start from, whatever their format, in MAEST's naming."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints import read_checkpoint
from essentia_maest.making.checkpoints.checkpoint import Checkpoint
from essentia_maest.making.checkpoints.reading import read_maest_arrays
from essentia_maest.making.metadata import (
    NORMALIZATION_MEAN,
    NORMALIZATION_STANDARD_DEVIATION,
)
from essentia_maest.making.weights import PATCH_SIZE
from essentia_maest.reading.store import resolve
from training.errors import CheckpointError

_SEPARABLE = 1e-5
"""Largest residual, of the largest encoding, that is rounding and not structure."""
_MAEST_HEAD_EPSILON = 1e-5
PUBLIC_NORMALISATION = (NORMALIZATION_MEAN, NORMALIZATION_STANDARD_DEVIATION)
"""Mean and standard deviation of what the public models were trained on."""


@dataclass(frozen=True)
class Pretrained:
    """A checkpoint, read.

    Parameters
    ----------
    arrays : dict of str to Tensor
        By the names of timm, PaSST and palonso/MAEST.
    heads : int, optional
        Attention heads, where the source tells them.
    labels : tuple of str, optional
        Names of the head's classes, where the source tells them.
    notes : list of str
        What was changed on the way.
    normalisation : tuple of float, optional
        Mean and standard deviation that inputs were normalised by, where the source tells them.
    """

    arrays: dict[str, Tensor]
    heads: int | None = None
    labels: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)
    normalisation: tuple[float, float] | None = None


def read_pretrained(path: Path) -> Pretrained:
    """Read a checkpoint of DeiT, PaSST or MAEST.

    Parameters
    ----------
    path : Path
        A PyTorch file (bare or wrapped state dict, Lightning, or a run of this project), a
        safetensors file, a Hugging Face folder, one of Essentia's official ONNX files, or a model
        file of ours: of one in int8, what its rounded weights stand for. Also the name of a model
        that ships ("default") or was fetched.

    Raises
    ------
    CheckpointError
        If it does not exist, is damaged, or is something else.
    """
    try:
        if not path.exists() and path.name == str(path) and not path.suffix:
            path = resolve(path.name)
        found = read_maest_arrays(path)
        if found is not None:
            tensors = {
                name: torch.from_numpy(np.array(array)) for name, array in found.arrays.items()
            }
            return Pretrained(tensors, found.heads, found.labels, normalisation=found.normalisation)
        checkpoint = read_checkpoint(path, rounded=True)
        return _from_checkpoint(checkpoint)
    except ModelError as error:
        raise CheckpointError(str(error)) from error


def _from_checkpoint(checkpoint: Checkpoint) -> Pretrained:
    """Undo what reading does to a model whose encodings are joint, one per patch."""
    weights = checkpoint.weights
    dim, hidden = weights.dim, weights.blocks[0].fc1_bias.size
    joint = weights.positions.astype(np.float64).reshape(weights.rows, weights.columns, dim)
    frequency = joint.mean(axis=1)
    time = joint.mean(axis=0) - joint.mean(axis=(0, 1))
    arrays = {
        # Encodings and bias of the patches come as sums, of which the parts are not known.
        "cls_token": weights.class_tokens[:1, np.newaxis],
        "dist_token": weights.class_tokens[1:, np.newaxis],
        "new_pos_embed": np.zeros((1, 2, dim)),
        "freq_new_pos_embed": frequency.T[np.newaxis, :, :, np.newaxis],
        "time_new_pos_embed": time.T[np.newaxis, :, np.newaxis],
        "patch_embed.proj.weight": weights.patch_weight.reshape(
            PATCH_SIZE, PATCH_SIZE, dim
        ).transpose(2, 1, 0)[:, np.newaxis],
        "patch_embed.proj.bias": np.zeros(dim),
        "head.1.weight": weights.head_weight.T,
        "head.1.bias": weights.head_bias,
    }
    if weights.norm_scale is None or weights.norm_bias is None:
        # Standardised values are (x - mean) * scale there, and x * scale + shift here.
        scale = weights.head_norm_scale.astype(np.float64)
        arrays["head.0.scale"] = scale
        arrays["head.0.mean"] = -weights.head_norm_bias / scale
    else:
        arrays |= {
            "norm.weight": weights.norm_scale,
            "norm.bias": weights.norm_bias,
            "head.0.weight": weights.head_norm_scale,
            "head.0.bias": weights.head_norm_bias,
        }
    if weights.second_head_weight is not None and weights.second_head_bias is not None:
        arrays["head_dist.weight"] = weights.second_head_weight.T
        arrays["head_dist.bias"] = weights.second_head_bias
    for number, block in enumerate(weights.blocks):
        if block.fc1_bias.size != hidden:
            raise CheckpointError(f"block {number} has another hidden width than the first")
        for ours, theirs in _BLOCK_NAMES.items():
            array: NDArray[np.float32] = getattr(block, theirs)
            arrays[f"blocks.{number}.{ours}"] = array.T
    tensors = {
        name: torch.from_numpy(np.array(array, np.float32, order="C"))
        for name, array in arrays.items()
    }
    notes = [f"joint position encodings: {_separability(joint, frequency[:, None] + time)}"]
    # Model files have it in float32.
    if not math.isclose(weights.head_norm_epsilon, _MAEST_HEAD_EPSILON, rel_tol=1e-6):
        notes.append(
            f"the head's LayerNorm had an epsilon of {weights.head_norm_epsilon:g}; here it has "
            f"{_MAEST_HEAD_EPSILON:g}"
        )
    if checkpoint.rounded:
        notes.append("matrices: rounded to 8 bits, as the model file has them")
    # What says nothing is one of the public models.
    normalisation = checkpoint.normalisation or PUBLIC_NORMALISATION
    return Pretrained(tensors, weights.heads, checkpoint.labels, notes, normalisation)


_BLOCK_NAMES = {
    "norm1.weight": "norm1_scale", "norm1.bias": "norm1_bias",
    "attn.qkv.weight": "qkv_weight", "attn.qkv.bias": "qkv_bias",
    "attn.proj.weight": "projection_weight", "attn.proj.bias": "projection_bias",
    "norm2.weight": "norm2_scale", "norm2.bias": "norm2_bias",
    "mlp.fc1.weight": "fc1_weight", "mlp.fc1.bias": "fc1_bias",
    "mlp.fc2.weight": "fc2_weight", "mlp.fc2.bias": "fc2_bias",
}  # fmt: skip


def _separability(joint: NDArray[np.float64], separated: NDArray[np.float64]) -> str:
    """Say what is lost by writing encodings as a sum of one of frequency and one of time."""
    residual = joint - separated
    if np.abs(residual).max() <= _SEPARABLE * np.abs(joint).max():
        return "sums of one of frequency and one of time, split exactly"
    spread = joint - joint.mean(axis=(0, 1))
    lost = float(np.square(residual).sum() / np.square(spread).sum())
    return (
        "not sums of one of frequency and one of time; split by averages, which loses "
        f"{lost:.2%} of their variance"
    )
