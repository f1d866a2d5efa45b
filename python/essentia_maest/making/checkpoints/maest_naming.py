"""Arrays named as in timm, PaSST and palonso/MAEST, to weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essentia_maest.errors import ModelError
from essentia_maest.making.checkpoints.checkpoint import Tensors, attention_heads, listing
from essentia_maest.making.weights import (
    EMBEDDING_PARTS,
    PATCH_SIZE,
    PATCH_VALUES,
    BlockWeights,
    FloatArray,
    ModelWeights,
)

_log = logging.getLogger(__name__)

ANCHOR = "blocks.0.attn.qkv.weight"
"""Every model of this naming has an array whose name ends so; before it comes the prefix."""
PREFERRED_PREFIXES = ("net_swa.", "net.", "")
"""Lightning files can hold the averaged weights, the ones published, beside the last ones."""
_WRAPPERS = ("module", "_orig_mod")
"""Parts of a prefix that only say what held the model: averaging, several GPUs, a compiler."""
MEAN, SEPARATED, EMBEDDING = "mean", "separated", "embedding"
"""What a head reads."""
NORM_EPSILON = 1e-6
HEAD_NORM_EPSILON = 1e-5


def choose_prefix(names: Iterable[str], anchor: str, origin: str) -> str:
    """Give what comes before every name of the model.

    Of several models the first of `PREFERRED_PREFIXES` is taken, whatever wraps it, and a warning
    is logged.

    Parameters
    ----------
    names : iterable of str
    anchor : str
        The end of a name that every model has.
    origin : str
        The file, for messages.

    Raises
    ------
    ModelError
        If there are several models and none is known to be the one to prefer.
    """
    prefixes = sorted({name.removesuffix(anchor) for name in names if name.endswith(anchor)})
    if len(prefixes) == 1:
        return prefixes[0]
    for preferred in PREFERRED_PREFIXES:
        fitting = [prefix for prefix in prefixes if _unwrapped(prefix) == preferred]
        if len(fitting) == 1:
            taken = repr(fitting[0]) + (", the averaged one" if preferred == "net_swa." else "")
            _log.warning("%s: found the models %s; took %s", origin, listing(prefixes), taken)
            return fitting[0]
        if fitting:
            break
    raise ModelError(
        f"{origin}: found {len(prefixes)} models, prefixes {listing(prefixes)}; wanted one, or "
        "one with the prefix 'net_swa.' or 'net.'"
    )


def _unwrapped(prefix: str) -> str:
    return "".join(f"{part}." for part in prefix.split(".") if part and part not in _WRAPPERS)


def bare_arrays(
    arrays: Mapping[str, NDArray[Any]], origin: str
) -> tuple[dict[str, NDArray[Any]], str]:
    """Give the arrays of the model to take, by their bare names, and the prefix that they had.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    origin : str
        The file, for messages.

    Raises
    ------
    ModelError
        If there are several models and none is known to be the one to prefer.
    """
    prefix = choose_prefix(arrays, ANCHOR, origin)
    chosen = {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    return chosen, prefix


def count_blocks(names: Iterable[str], pattern: str, origin: str) -> int:
    """Give the number of blocks, which must be numbered from 0 without gaps.

    Parameters
    ----------
    names : iterable of str
    pattern : str
        Regular expression of a name; its first group is the block's number.
    origin : str
        The file, for messages.

    Raises
    ------
    ModelError
        If there is a gap.
    """
    matches = (re.match(pattern, name) for name in names)
    numbers = sorted({int(match[1]) for match in matches if match})
    if numbers != list(range(len(numbers))):
        raise ModelError(f"{origin}: found the blocks {numbers}, wanted 0, 1, 2 ... without gaps")
    return len(numbers)


def weights_from_maest(tensors: Tensors, heads: int | None, *, head: str = MEAN) -> ModelWeights:
    """Give the weights of a model in this naming, its prefix removed.

    Parameters
    ----------
    tensors : Tensors
    heads : int, optional
        Attention heads; by default one per 64 of width.
    head : {"mean", "separated", "embedding"}
        mean: of the cls and dist tokens; `head_dist` is left out. separated: the head takes the cls
        token and `head_dist` the dist token, as in a model that learned from a teacher. embedding:
        the head takes the last block's embedding, as runs of this project have it.

    Returns
    -------
    ModelWeights

    Raises
    ------
    ModelError
        If an array is missing, unknown or of another shape.
    """
    dim = tensors.take("cls_token", (1, 1, None)).shape[2]
    class_tokens = np.concatenate(
        [tensors.take("cls_token", (1, 1, dim)), tensors.take("dist_token", (1, 1, dim))], axis=1
    ) + tensors.take("new_pos_embed", (1, 2, dim))
    frequency = tensors.take("freq_new_pos_embed", (1, dim, None, 1))
    time = tensors.take("time_new_pos_embed", (1, dim, 1, None))
    rows, columns = frequency.shape[2], time.shape[3]
    positions = (frequency + time)[0].reshape(dim, rows * columns).T

    blocks = tuple(
        _block(tensors, f"blocks.{number}.", dim)
        for number in range(count_blocks(tensors, r"blocks\.(\d+)\.", tensors.origin))
    )
    on_embedding = head == EMBEDDING
    head_weight = tensors.take(
        "head.1.weight", (None, EMBEDDING_PARTS * dim if on_embedding else dim)
    )
    second_weight = second_bias = None
    if on_embedding:
        mean, scale = (
            tensors.take(f"head.0.{name}", (EMBEDDING_PARTS * dim,)) for name in ("mean", "scale")
        )
        head_norm = scale, -mean * scale
    else:
        head_norm = tensors.take("head.0.weight", (dim,)), tensors.take("head.0.bias", (dim,))
    if head == SEPARATED:
        taken = tensors.take("head_dist.weight", (len(head_weight), dim))
        second_weight = np.ascontiguousarray(taken.T)
        second_bias = tensors.take("head_dist.bias", (len(head_weight),))
    elif head == MEAN:
        # The published models have it, but take the mean of both tokens instead.
        tensors.ignore("head_dist.")
    return _finish(
        ModelWeights(
            patch_weight=patch_matrix(tensors.take("patch_embed.proj.weight", patch_shape(dim))),
            class_tokens=class_tokens[0],
            positions=positions + tensors.take("patch_embed.proj.bias", (dim,)),
            blocks=blocks,
            norm_scale=None if on_embedding else tensors.take("norm.weight", (dim,)),
            norm_bias=None if on_embedding else tensors.take("norm.bias", (dim,)),
            head_norm_scale=head_norm[0],
            head_norm_bias=head_norm[1],
            head_weight=np.ascontiguousarray(head_weight.T),
            head_bias=tensors.take("head.1.bias", (len(head_weight),)),
            heads=attention_heads(dim, heads, tensors.origin),
            rows=rows,
            columns=columns,
            second_head_weight=second_weight,
            second_head_bias=second_bias,
            norm_epsilon=NORM_EPSILON,
            head_norm_epsilon=HEAD_NORM_EPSILON,
        ),
        tensors,
    )


def _finish(weights: ModelWeights, tensors: Tensors) -> ModelWeights:
    tensors.finish("a MAEST model")
    return weights


def _block(tensors: Tensors, prefix: str, dim: int) -> BlockWeights:
    hidden = tensors.take(f"{prefix}mlp.fc1.weight", (None, dim)).shape[0]

    def vector(name: str, length: int = dim) -> FloatArray:
        return tensors.take(prefix + name, (length,))

    def matrix(name: str, outputs: int, inputs: int = dim) -> FloatArray:
        return np.ascontiguousarray(tensors.take(prefix + name, (outputs, inputs)).T)

    return BlockWeights(
        norm1_scale=vector("norm1.weight"),
        norm1_bias=vector("norm1.bias"),
        qkv_weight=matrix("attn.qkv.weight", 3 * dim),
        qkv_bias=vector("attn.qkv.bias", 3 * dim),
        projection_weight=matrix("attn.proj.weight", dim),
        projection_bias=vector("attn.proj.bias"),
        norm2_scale=vector("norm2.weight"),
        norm2_bias=vector("norm2.bias"),
        fc1_weight=matrix("mlp.fc1.weight", hidden),
        fc1_bias=vector("mlp.fc1.bias", hidden),
        fc2_weight=matrix("mlp.fc2.weight", dim, hidden),
        fc2_bias=vector("mlp.fc2.bias"),
    )


def patch_shape(dim: int) -> tuple[int, int, int, int]:
    """Give the shape of the patch embedding's convolution: [dim, 1, mel bands, frames]."""
    return (dim, 1, PATCH_SIZE, PATCH_SIZE)


def patch_matrix(kernel: FloatArray) -> FloatArray:
    """Turn the convolution [dim, 1, mel bands, frames] into a matrix [frame * 16 + band, dim]."""
    return np.ascontiguousarray(kernel[:, 0].transpose(2, 1, 0).reshape(PATCH_VALUES, -1))
